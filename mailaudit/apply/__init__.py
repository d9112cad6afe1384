"""Writes plans: to a folder (`folder`), to a live host (`host`)."""

from mailaudit.apply.folder import ApplyError, OutPlaceError, Written, out_folder, with_secrets, write_folder

__all__ = ["ApplyError", "OutPlaceError", "Written", "out_folder", "with_secrets", "write_folder"]
