"""Models in the formats that other programs run: ONNX, torch.export, BioImage.IO.

What needs the extra ``interchange`` is imported only when it is used.
"""

from __future__ import annotations

from relay_tokens.interchange.onnx_file import write_onnx
from relay_tokens.interchange.package import is_package, read_package, unpack_package
from relay_tokens.interchange.program_file import write_program
from relay_tokens.interchange.sameness import TOLERANCE

__all__ = [
    "TOLERANCE",
    "is_package",
    "read_package",
    "unpack_package",
    "write_onnx",
    "write_program",
]
