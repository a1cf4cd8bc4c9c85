"""MMEngine's files on this machine, written so that they are never there in part."""

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from mmdet_digits.durable_files import write_durably


@register_backend('local', prefixes='', force=True)
class DurableLocalBackend(LocalBackend):
    """MMEngine's backend for local files, which serves whoever saves a checkpoint."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes."""
        write_durably(filepath, obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text."""
        write_durably(filepath, obj.encode(encoding))
