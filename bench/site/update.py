"""Writes anew what docs/ has from a scan: the picture at the top of the README, and what the guide gets wrong."""

from __future__ import annotations

from bench.site import guide, picture

if __name__ == "__main__":
    picture.PICTURE.write_text(picture.made(), "utf-8")
    guide.PAGE.write_text(guide.made(), "utf-8")
