"""Reading the tables that benchmarks print."""


def rows_of(text: str) -> dict[str, list[str]]:
    """The cells of the last Markdown table in a text, by their row's name."""
    lines = [line for line in text.splitlines() if line.startswith('| ')]
    cells = [[cell.strip() for cell in line.strip('| ').split('|')] for line in lines]
    return {name: others for name, *others in cells}
