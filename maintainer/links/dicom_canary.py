"""Fetching the canary study as a workstation would, to see that images can be had and that they are the right ones.

The study is a phantom or another one without a patient; all the same nothing of it is kept but a digest of its pixels.
Uncompressed transfer syntaxes are proposed alone: then what comes does not depend on who keeps it in which form.

Source: DICOM PS3.4, C.4.1 (C-FIND), C.4.3 (C-GET); PS3.7, D.3.3.4 (SCP/SCU Role Selection).
"""

import hashlib
import io
from typing import Any

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_role, evt, sop_class

from maintainer.links.dicom_call import Call

FIND, GET = (
    getattr(sop_class, f"StudyRootQueryRetrieveInformationModel{word}")  # (pynetdicom makes them at run time)
    for word in ("Find", "Get")
)
_KINDS = (
    "ComputedRadiographyImageStorage",
    "CTImageStorage",
    "DigitalMammographyXRayImageStorageForPresentation",
    "DigitalXRayImageStorageForPresentation",
    "EnhancedCTImageStorage",
    "EnhancedMRImageStorage",
    "MRImageStorage",
    "MultiFrameGrayscaleByteSecondaryCaptureImageStorage",
    "MultiFrameGrayscaleWordSecondaryCaptureImageStorage",
    "MultiFrameTrueColorSecondaryCaptureImageStorage",
    "NuclearMedicineImageStorage",
    "PositronEmissionTomographyImageStorage",
    "RTImageStorage",
    "SecondaryCaptureImageStorage",
    "UltrasoundImageStorage",
    "UltrasoundMultiFrameImageStorage",
    "XRayAngiographicImageStorage",
    "XRayRadiofluoroscopicImageStorage",
)
IMAGES = tuple(getattr(sop_class, kind) for kind in _KINDS)
AT_MOST = 100_000_000
"""Bytes of a whole canary: it is fetched several times a night, and held in memory."""
_SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
_SUCCESS, _PENDING, _OUT_OF_RESOURCES = 0x0000, (0xFF00, 0xFF01), 0xA700
_ENOUGH = 10


class Canary(Call):
    """C-FIND of the study, C-GET of its objects, and the digest of their pixels beside the declared one."""

    wanted = "C-FIND and C-GET of the Study Root model"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._pixels: list[bytes] = []
        self._bytes = 0

    def propose(self, caller: AE) -> list[Any]:
        for model in (FIND, GET):
            caller.add_requested_context(model)
        for image in IMAGES:
            caller.add_requested_context(image, _SYNTAXES)
        return [build_role(image, scp_role=True) for image in IMAGES]

    def handlers(self) -> list[Any]:
        return [*super().handlers(), (evt.EVT_C_STORE, self._take), (evt.EVT_DATA_RECV, self._count)]

    def ask(self, association: Any) -> str:
        offered = {context.abstract_syntax for context in association.accepted_contexts}
        if not {FIND, GET} <= offered:
            return f"{self.where} does not offer {self.wanted}"
        return self._found(association) or self._fetched(association) or self._compared()

    def _found(self, association: Any) -> str:
        matches = 0
        for status, _ in association.send_c_find(self._study(), FIND):
            if "Status" not in status:
                return self._too_much() or self.broken_off()
            if status.Status in _PENDING:
                matches += 1
            elif status.Status != _SUCCESS:
                return f"{self.where} answered C-FIND of the canary with status 0x{status.Status:04X}"
            if matches > _ENOUGH:
                return f"{self.where} answered C-FIND of one study with more than {_ENOUGH} studies"
        return "" if matches else f"{self.where} does not have the canary study: store it there, or correct `canary`"

    def _fetched(self, association: Any) -> str:
        for status, _ in association.send_c_get(self._study(), GET):
            if "Status" not in status:
                return self._too_much() or self.broken_off()
            if status.Status not in _PENDING:
                return self._too_much() or self._ended(status)
        return self.broken_off()

    def _ended(self, status: Any) -> str:
        failed = status.get("NumberOfFailedSuboperations") or 0
        if status.Status == _SUCCESS and not failed:
            return ""
        return f"{self.where} ended C-GET of the canary with status 0x{status.Status:04X}, {failed} objects not sent"

    def _compared(self) -> str:
        if not self._pixels:
            return f"{self.where} sent no object with pixels for the canary"
        came = hashlib.sha256(b"".join(sorted(self._pixels))).hexdigest()
        if self.dicom.canary_digest is None:
            return f'the canary came, and nothing says what it should be: write canary_digest = "{came}"'
        if self.dicom.canary_digest != came:
            return f"the pixels of the canary are not what canary_digest says: their digest is {came}"
        return ""

    def _study(self) -> Dataset:
        asked = Dataset()
        asked.QueryRetrieveLevel = "STUDY"
        asked.StudyInstanceUID = self.dicom.canary
        return asked

    def _take(self, event: Any) -> int:
        if self._bytes > AT_MOST:
            return _OUT_OF_RESOURCES
        implicit = event.context.transfer_syntax == ImplicitVRLittleEndian
        dataset = read_dataset(io.BytesIO(event.request.DataSet.getvalue()), implicit, is_little_endian=True)
        if "PixelData" in dataset:
            self._pixels.append(hashlib.sha256(dataset.PixelData).digest())
        return _SUCCESS

    def _count(self, event: Any) -> None:
        self._bytes += len(event.data)
        if self._bytes > AT_MOST:
            self.cut()

    def _too_much(self) -> str:
        return (
            f"the canary is larger than {AT_MOST // 10**6} MB: choose a smaller study" if self._bytes > AT_MOST else ""
        )
