"""Write the style sheet that is made from the tokens: `python -m flockpit.look`."""

from pathlib import Path

from flockpit.look.assets import asset
from flockpit.look.css import PATH, tokens_css

if __name__ == "__main__":
    Path(str(asset(PATH))).write_text(tokens_css(), encoding="utf-8")
