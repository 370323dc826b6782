"""Draw the results of ./run bench: draw.py RESULTS.json FOLDER

Writes FOLDER/*.svg and FOLDER/index.html, the same bytes for the same results. Run by bench/run with a Python that has
matplotlib. A picture whose suite is not in the results is not drawn.
"""
import json
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parents[1])]
import page  # noqa: E402
import pictures  # noqa: E402


def main():
    if len(sys.argv) != 3:
        sys.exit("use: draw.py RESULTS.json FOLDER")
    data = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder, drawn = pathlib.Path(sys.argv[2]), []
    for picture in pictures.ALL:
        path = folder / f"{picture.__name__.replace('_', '-')}.svg"
        path.unlink(missing_ok=True)
        if picture(data, path):
            drawn.append(path)
        else:
            print(f"not drawn: {path.name}, for want of results")
    page.write(data, drawn, folder / "index.html")


main()
