"""A small table of numbers and words that can be printed, stored and shown in the report."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field


@dataclass
class Table:
    """A table.

    Parameters
    ----------
    title : str
        One line above it.
    columns : sequence of str
        Names of the columns.
    rows : sequence of sequences
        Cells: numbers, strings or None.
    notes : str
        Text below it: what was measured and how.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence] = field(default_factory=list)
    notes: str = ""

    def __post_init__(self):
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"table {self.title!r} has {len(self.columns)} columns, "
                    f"but a row of {len(row)} cells: {row}"
                )

    def to_text(self) -> str:
        """Write the table in aligned columns, numbers to the right."""
        cells = [[show_cell(cell) for cell in row] for row in self.rows]
        widths = [max(map(len, column)) for column in zip(self.columns, *cells, strict=True)]
        numeric = [
            all(_is_number(row[i]) or row[i] is None for row in self.rows)
            for i in range(len(widths))
        ]
        lines = [self.title, _line(self.columns, widths, numeric), _line(["-" * w for w in widths])]
        lines += [_line(row, widths, numeric) for row in cells]
        return "\n".join(lines + ([self.notes] if self.notes else [])) + "\n"

    def to_json(self) -> dict:
        """Return the table as a dict that :mod:`json` can write."""
        rows = [[_plain(cell) for cell in row] for row in self.rows]
        return {**asdict(self), "columns": list(self.columns), "rows": rows}

    @classmethod
    def from_json(cls, document: dict) -> "Table":
        """Make the table that :meth:`to_json` described."""
        return cls(**document)


def show_cell(cell) -> str:
    """Write one cell; floats to four significant digits."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.4g}"
    return str(cell)


def _plain(cell):
    return cell.item() if hasattr(cell, "item") else cell  # NumPy's scalars are not JSON


def _is_number(cell):
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def _line(cells, widths=None, numeric=None):
    if widths is None:
        return "  ".join(cells)
    aligned = zip(cells, widths, numeric, strict=True)
    return "  ".join(c.rjust(w) if right else c.ljust(w) for c, w, right in aligned).rstrip()
