"""Pure knowledge of archive products: where their objects lie and which queries list them."""

from maintainer.archives.product import ArchiveProduct
from maintainer.archives.register import names, product, product_of

__all__ = ["ArchiveProduct", "names", "product", "product_of"]
