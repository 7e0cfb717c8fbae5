# What CPython has had on Linux since 3.3 and PyPy 7.3 has not. Appended to PyPy's os.py.
O_PATH = 0o10000000


def readv(fd: int, buffers: list) -> int:
    import io  # noqa: PLC0415 (it imports os)

    return io.FileIO(fd, closefd=False).readinto(buffers[0]) or 0
