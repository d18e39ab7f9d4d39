"""Caption cleaning as LlamaGen's text pipeline does it (the DeepFloyd and PixArt lineage).

The model only ever saw captions that went through these steps, twice. They are blunt: made for alternative
texts scraped from shops, they delete much that a user may mean, such as a word with digits inside. The steps
must be the same here, in the same order; a token word that does not survive them cannot be learnt.
"""

from __future__ import annotations

import html
import re
from urllib.parse import unquote_plus

import ftfy
from bs4 import BeautifulSoup

Step = tuple[re.Pattern[str], str]

_ADDRESS_ENDS = "com|co|ru|net|org|edu|gov|it"
_FILE_ENDS = "png|jpg|jpeg|bmp|webp|eps|pdf|apk|mp4"
# Blocks of CJK strokes, phonetic extensions, enclosed letters, compatibility, ideographs, hexagrams.
_CJK_BLOCKS = "\u31c0-\u31ef\u31f0-\u31ff\u3200-\u32ff\u3300-\u33ff\u3400-\u4dbf\u4dc0-\u4dff\u4e00-\u9fff"
_DASHES = (
    "\u002d\u058a\u05be\u1400\u1806\u2010-\u2015\u2e17\u2e1a\u2e3a\u2e3b\u2e40\u301c\u3030\u30a0"
    "\ufe31\ufe32\ufe58\ufe63\uff0d"
)
_BAD_CHARACTERS = re.escape("#®•©™&@·º½¾¿¡§~)(][}{|\\/*")


def _web_address(scheme: str) -> str:
    return (
        rf"\b((?:{scheme}:(?:/{{1,3}}|[a-zA-Z0-9%])"
        rf"|[a-zA-Z0-9.\-]+[.](?:{_ADDRESS_ENDS})[\w/-]*\b/?(?!@)))"
    )


def _steps(*pairs: tuple[str, str]) -> tuple[Step, ...]:
    return tuple((re.compile(pattern), replacement) for pattern, replacement in pairs)


_BEFORE_MARKUP = _steps(
    ("<person>", "person"),  # a placeholder of the training captions, before it is taken for markup
    (_web_address("https?"), ""),
    (_web_address("www"), ""),
)

_AFTER_MARKUP = _steps(
    (r"@[\w\d]+\b", ""),  # nicknames
    (f"[{_CJK_BLOCKS}]+", ""),
    (f"[{_DASHES}]+", "-"),
    ("[`´«»“”¨]", '"'),
    ("[‘’]", "'"),
    (r"&quot;?", ""),
    ("&amp", ""),
    (r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}", " "),  # network addresses
    (r"\d:\d\d\s+$", ""),  # article ids
    (r"\\n", " "),  # a newline written as backslash and n
    (r"#\d{1,3}\b", ""),
    (r"#\d{5,}\b", ""),
    (r"\b\d{6,}\b", ""),
    (rf"[\S]+\.(?:{_FILE_ENDS})", ""),  # file names
    (r"[\"\']{2,}", '"'),
    (r"[\.]{2,}", " "),
    (f"[{_BAD_CHARACTERS}]+", " "),
    (r"\s+\.\s+", " "),
)

_JOINTS = re.compile("[-_]")
# This many joints are still a word with hyphens; more are a sentence written as a file name.
_JOINTS_KEPT = 3

_AFTER_REPAIR = _steps(
    (r"\b[a-zA-Z]{1,3}\d{3,15}\b", ""),  # jc6640
    (r"\b[a-zA-Z]+\d+[a-zA-Z]+\b", ""),  # jc6640vc
    (r"\b\d+[a-zA-Z]+\d+\b", ""),  # 6640vc231
    (r"(worldwide\s+)?(free\s+)?shipping", ""),
    (r"(free\s)?download(\sfree)?", ""),
    (r"\bclick\b\s(?:for|on)\s\w+", ""),
    (rf"\b(?:{_FILE_ENDS})(\simage[s]?)?", ""),
    (r"\bpage\s+\d+\b", ""),
    (r"\b\d*[a-zA-Z]+\d+[a-zA-Z]+\d+[a-zA-Z\d]*\b", " "),  # j2d1a2a
    (r"\b\d+\.?\d*[xх×]\d+\.?\d*\b", ""),  # 30x40; the second x is Cyrillic
    (r"\b\s+\:\s+", ": "),
    (r"(\D[,\./])\b", r"\1 "),
    (r"\s+", " "),
    # The ends; a space at an end, still there, keeps these from matching, as it does officially.
    (r"^[\"\']([\w\W]+)[\"\']$", r"\1"),
    (r"^[\'\_,\-\:;]", ""),
    (r"[\'\_,\-\:\-\+]$", ""),
    (r"^\.\S+$", ""),
)


def clean_caption(caption: str) -> str:
    """Clean a caption once. See `clean_for_model` for what the model is given."""
    text = unquote_plus(caption).strip().lower()
    text = _apply(_BEFORE_MARKUP, text)
    text = BeautifulSoup(text, features="html.parser").text
    text = _apply(_AFTER_MARKUP, text)
    if len(_JOINTS.findall(text)) > _JOINTS_KEPT:
        text = _JOINTS.sub(" ", text)
    text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    return _apply(_AFTER_REPAIR, text).strip()


def clean_for_model(caption: str) -> str:
    """Clean a caption as the model's training did: twice, since one pass can uncover what another removes."""
    return clean_caption(clean_caption(caption))


def _apply(steps: tuple[Step, ...], text: str) -> str:
    for pattern, replacement in steps:
        text = pattern.sub(replacement, text)
    return text
