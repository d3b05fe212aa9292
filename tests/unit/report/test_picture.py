"""The picture for the chat has real glyphs, or is not drawn at all."""

import struct

import pytest

from causal_tasks.report.content import tell
from causal_tasks.report.picture import MAX_BYTES, Font, draw_picture, find_font
from tests.unit.report import sample

FONT = find_font()
needs_font = pytest.mark.skipif(FONT is None, reason="no font with Chinese glyphs (fonts-wqy-zenhei) is installed")


def test_without_a_known_font_nothing_is_found(tmp_path):
    (tmp_path / "DejaVuSans.ttf").touch()
    assert find_font((tmp_path,)) is None


def test_a_font_is_found_in_any_folder_below(tmp_path):
    folder = tmp_path / "truetype" / "wqy"
    folder.mkdir(parents=True)
    (folder / "wqy-zenhei.ttc").touch()
    assert find_font((tmp_path / "absent", tmp_path)) == Font("WenQuanYi Zen Hei", folder)


@needs_font
@pytest.mark.parametrize("ending", ["found_both", "too_small"])
def test_the_picture_is_a_png_twelve_hundred_pixels_wide_and_light_enough_to_send(ending):
    picture = draw_picture(tell(sample.result(ending), "zh"), FONT)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", picture[16:24])
    assert 1150 <= width <= 1300
    assert 300 <= height <= 3000
    assert len(picture) < MAX_BYTES


@needs_font
def test_chinese_characters_are_drawn_as_glyphs_and_not_as_one_box():
    import vl_convert

    vl_convert.register_font_directory(str(FONT.folder))

    def drawn(text):
        svg = (
            '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="60">'
            f'<text x="10" y="40" font-size="30" font-family="{FONT.family}">{text}</text></svg>'
        )
        return vl_convert.svg_to_png(svg)

    characters = "受益损人群检查对照策略年龄占比证据充分整体效果分钟"
    assert len({drawn(character) for character in characters}) == len(set(characters))
    assert drawn("受") != drawn("\U0010fffd")
    assert drawn("\N{EN DASH}") not in {drawn(" "), drawn("\U0010fffd")}
