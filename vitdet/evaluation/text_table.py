"""Tables of plain text, for terminals and log files alike."""

import io

from rich import box
from rich.console import Console
from rich.table import Table


def plain_table(first: str, *columns: str) -> Table:
    """A table to add rows to: the first column flush left, the others right."""
    table = Table(box=box.ASCII2)
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def render(table: Table) -> str:
    # Wide enough for any class name, whatever the terminal: a log file has no width.
    # Names are printed as they are: no brackets read as markup, no :bus: as a picture.
    console = Console(file=io.StringIO(), width=1000, color_system=None, markup=False, emoji=False)
    console.print(table)
    return console.file.getvalue().rstrip("\n")
