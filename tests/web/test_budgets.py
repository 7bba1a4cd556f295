"""What the pages weigh, and what they say: measured on the built files, read from the sources."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "wangxin" / "web" / "static"
SOURCES = ROOT / "frontend" / "src"
LOCALES = ("zh-CN", "en", "zh-TW")
KB = 1024
HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
IMPORTED = re.compile(r"""(?:import|from)\s*["'`]\.\.?/([\w./-]+\.js)["'`]""")
if not STATIC.exists():
    pytest.skip("the pages are not built: make pages", allow_module_level=True)


def weight(file: Path) -> int:
    """Bytes over the wire as the server sends them to a browser that knows gzip only."""
    packed = file.with_name(file.name + ".gz")
    return packed.stat().st_size if packed.exists() else len(gzip.compress(file.read_bytes(), 9))


def first_screen(page: Path, areas: set[str], pages: tuple[str, ...] = ()) -> dict[str, int]:
    """What a browser needs before the first screen stands: scripts with what they import, styles, one locale's texts.

    ``pages``: parts that the first screen loads by name.
    """
    html = page.read_text()
    assets = next(folder for folder in (page.parent / "assets", page.parents[1] / "assets") if folder.exists())
    named = re.findall(r'(?:src|href)="/static/[\w/]*assets/([\w.-]+\.(?:js|css))"', html)
    assert any(name.endswith(".js") for name in named), "the page names its script"
    wanted = [assets / name for name in named]
    for part in pages:
        wanted += [file for ending in ("js", "css") for file in assets.glob(f"{part}-*.{ending}")]
    found: dict[str, int] = {}
    while wanted:
        file = wanted.pop()
        if file.name in found:
            continue
        found[file.name] = weight(file)
        if file.suffix == ".js":
            wanted += [assets / Path(name).name for name in _imports(file)]
    for area in areas:
        texts = [file for file in assets.glob(f"{area}-*.js") if re.match(r'[^"]{0,12}"[a-z]+\.', file.read_text())]
        assert len(texts) == len(LOCALES), f"the texts of {area}, one file a locale"
        found[f"texts of {area}"] = max(weight(file) for file in texts)
    return found


def _imports(file: Path) -> list[str]:
    """Static imports only: ``import(…)`` is asked for later."""
    return IMPORTED.findall(file.read_text())


def areas_of(surface: str) -> set[str]:
    found = re.search(r"locales/\*/\{([\w,]+)\}", (SOURCES / surface / "main.ts").read_text())
    assert found is not None
    return set(found[1].split(","))


def test_the_loader_on_a_merchants_page_stays_below_4_kb() -> None:
    assert 1_000 < weight(STATIC / "sdk.js") <= 4 * KB


@pytest.mark.parametrize(
    ("surface", "page", "pages", "budget"),
    [
        ("shopper", "shopper/index.html", (), 50 * KB),
        ("agent", "consoles/agent/index.html", ("DeskPage",), 170 * KB),
        ("merchant", "consoles/merchant/index.html", ("overview",), 230 * KB),
    ],
)
def test_a_first_screen_stays_within_its_weight(surface: str, page: str, pages: tuple[str, ...], budget: int) -> None:
    found = first_screen(STATIC / page, areas_of(surface), pages)
    heaviest = sorted(found.items(), key=lambda one: -one[1])[:8]
    assert budget / 4 < sum(found.values()) <= budget, heaviest


def test_charts_are_not_on_the_first_screen_and_weigh_190_kb_at_most() -> None:
    assets = STATIC / "consoles" / "assets"
    charts = list(assets.glob("echarts-*.js"))
    assert charts, "the charts are built"
    first = first_screen(STATIC / "consoles/merchant/index.html", areas_of("merchant"), ("overview",))
    assert not {file.name for file in charts} & set(first)
    assert sum(weight(file) for file in charts) <= 190 * KB


def test_everything_that_is_served_often_is_compressed_beforehand_both_ways() -> None:
    plain = [file for file in STATIC.rglob("*.js") if file.stat().st_size >= 600]
    assert len(plain) > 20
    for file in plain:
        packed, smaller = (file.with_name(file.name + ending).stat().st_size for ending in (".gz", ".br"))
        assert smaller < packed < file.stat().st_size, file.name


def texts(locale: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in sorted((SOURCES / "locales" / locale).glob("*.json")):
        given: dict[str, str] = json.loads(file.read_text())
        assert not found.keys() & given.keys(), f"{file.name} says what another file says already"
        found |= given
    return found


@pytest.mark.parametrize("locale", LOCALES[1:])
def test_every_locale_says_the_same_things_with_the_same_places(locale: str) -> None:
    chinese, other = texts("zh-CN"), texts(locale)
    assert chinese.keys() ^ other.keys() == set()
    places = re.compile(r"\{(\w+)\}")
    differ = {key for key in chinese if set(places.findall(chinese[key])) != set(places.findall(other[key]))}
    assert differ == set()
    assert [key for key, said in other.items() if not said.strip()] == []


def test_english_pages_speak_english() -> None:
    """But for the names of languages and of the variables in canned replies, and the mark of the house."""
    own = {"replies.variables", "common.logoMark", "common.locale.zh-CN", "common.locale.zh-TW"}
    assert {key for key, said in texts("en").items() if HAN.search(said)} <= own


def test_no_han_text_stands_outside_the_locale_files() -> None:
    sources = [file for ending in ("vue", "ts", "css") for file in SOURCES.rglob(f"*.{ending}")]
    assert len(sources) > 100
    assert [str(file.relative_to(SOURCES)) for file in sources if HAN.search(file.read_text())] == []


def test_no_page_carries_a_style_attribute_or_raw_html() -> None:
    """The policy of the pages refuses the first; the second would let a message become markup."""
    loose = re.compile(r'(?<![:\w-])style="|v-html')
    assert [file.name for file in SOURCES.rglob("*.vue") if loose.search(file.read_text())] == []
