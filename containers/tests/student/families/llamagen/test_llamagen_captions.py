"""Captions: cleaned as officially, encoded, padded on the left."""

import html
import random
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from diffusers import PixArtAlphaPipeline
from diffusers.pipelines.pixart_alpha import pipeline_pixart_alpha
from llamagen_tiny import tiny_captions

from proxytune.contract.errors import ProxytuneError
from proxytune.student.families.llamagen import clean_for_model
from proxytune.student.families.llamagen.caption_cleaning import clean_caption
from proxytune.student.families.llamagen.captions import CaptionEncoder

TRICKY = [
    "A photo of a SKS dog, on the beach!",
    "see https://www.example.com/a/b?c=d and shop.example.co now",
    "www.pictures.org/x-1 mail me@home.net or write to foo.bar@host.ru",
    "<person> holding <b>a &amp; sign</b> &quot;hello&quot; &lt;i&gt;",
    "by @some_one2 via #12 and #1234 #123456 id 1234567",
    "犬の写真 photo ㈱ ㌔ 㐀 ䷀ end",
    "em—dash en–dash ―bar  ﹘small －full a-b-c-d-e and one-two",
    "“quoted” «words» `tick´ ‘single’ it’s",
    "192.168.0.1 at 10:30 see 5:45 ",
    "line\\nbreak and\nreal\ttab",
    "img_001_final_v2.jpg is a file name.png and movie.mp4x",
    "\"\"wow\"\" ''single'' wait... what.. . end",
    "(round) [square] {curly} a|b a\\b a/b 5*3 #hash ® © ™ ¡hola! ¿que? ~50%",
    "this_is_my_cute_cat this-is-my-cute-cat",
    "a-b-c-d",
    "jc6640 jc6640vc 6640vc231 j2d1a2a V1x2 zxc1234 abcd1234 s1 sks1",
    "free shipping worldwide free shipping, free download free now, download",
    "click for more click on this clicking for that",
    "png images of a dog, jpeg image, page 12 of a book, webp",
    "30x40 canvas 2.5x3 20×30 10х20 cm 1080p",
    "name : value , other ;last a.b c,d e/f",
    "'quoted all over'",
    '"double all over"',
    "_leading trailing_",
    "- dash first, plus last +",
    ".hidden",
    "  spaced   out  ",
    "100%25 of a+b%20c",
    "caf\u00c3\u00a9 schÃ¶n â€œmojibakeâ€\x9d",
    "",
    "S*",
    "<s1> <new1> dog [V] dog",
    "a dog & a cat <unclosed",
    "🐶 emoji dog ½ cup º degree",
    "&amp;amp; &ampquot &#39;x&#39;",
]


def official_pass(caption):
    """One pass of PixArt's cleaner as diffusers carries it.

    LlamaGen's is the same but for one step that diffusers left out: it strips the text after unescaping.
    """
    stripping = SimpleNamespace(unescape=lambda text: html.unescape(text).strip())
    with mock.patch.object(pipeline_pixart_alpha, "html", stripping):
        return PixArtAlphaPipeline._clean_caption(PixArtAlphaPipeline, caption)


@pytest.mark.parametrize("caption", TRICKY)
def test_one_pass_equals_the_published_cleaner(caption):
    assert clean_caption(caption) == official_pass(caption)


@pytest.mark.parametrize(
    ("caption", "left"),
    [
        ("a S* dog", "a s dog"),
        ("a <s1> dog", "a dog"),
        ("a <new1> dog", "a dog"),
        ("a @sks dog", "a dog"),
        ("a V1x2 dog", "a dog"),
        ("a zxc1234 dog", "a dog"),
        ("a [V] dog", "a v dog"),
        ("a dog.png", "a"),
        ("a café dog", "a café dog"),
        ("A photo of a sks dog", "a photo of a sks dog"),
        ("a photo of a ohwx cat in the snow", "a photo of a ohwx cat in the snow"),
    ],
)
def test_measured_outcomes_of_the_official_cleaner(caption, left):
    assert clean_for_model(caption) == left


def test_cleaning_twice_removes_more_than_once():
    assert clean_caption("a %2541 dog") == "a %41 dog"
    assert clean_for_model("a %2541 dog") == "a a dog"


def test_random_captions_are_cleaned_the_same():
    """Pieces that the steps look for, strung together at random: they meet in every order."""
    pieces = [piece for caption in TRICKY for piece in caption.split()]
    pieces += list("-_.,:;'\"@#&<>()/*x× ") + ["12", "345", "abc", "\n", "  "]
    chance = random.Random(0)
    for _ in range(1500):
        chosen = chance.choices(pieces, k=chance.randint(1, 9))
        caption = "".join(piece + chance.choice(["", " ", " "]) for piece in chosen)
        assert clean_caption(caption) == official_pass(caption), caption


def test_features_are_at_the_right_end_and_padding_is_zero(captions):
    features, mask = captions.encode(["a photo of a sks dog", "dog"])
    assert features.shape == (2, 20, 24)
    assert features.dtype == torch.float32
    assert mask.sum(dim=1).tolist() == [7, 2]  # the words, and </s>
    assert mask[0].tolist() == [0] * 13 + [1] * 7
    assert torch.equal(features[0, :13], torch.zeros(13, 24))
    assert features[0, 13:].abs().amax(dim=1).min() > 0.01


def test_features_are_those_of_the_bare_encoder(captions):
    features, _ = captions.encode(["a sks dog"])
    ids = captions.tokenizer(["a sks dog"], return_tensors="pt").input_ids
    with torch.no_grad():
        expected = captions.text_encoder(input_ids=ids).last_hidden_state[0]
    assert torch.allclose(features[0, -len(expected) :], expected, atol=1e-5)


def test_a_caption_does_not_depend_on_its_batch(captions):
    together, _ = captions.encode(["a sks dog", "a photo of the red cat in the snow"])
    alone, _ = captions.encode(["a sks dog"])
    assert torch.allclose(together[:1], alone, atol=1e-6)
    assert torch.equal(alone, captions.encode(["a SKS  dog"])[0])  # no dropout, and cleaned


def test_long_captions_are_cut(captions):
    features, mask = captions.encode(["a dog on the beach in the snow " * 10])
    assert mask.sum().item() == features.shape[1] == 20


def test_the_encoder_is_saved_and_loaded(captions, tmp_path):
    captions.save(tmp_path)
    again = CaptionEncoder.load(tmp_path, max_length=20)
    for ours, theirs in zip(again.encode(["a red cat"]), captions.encode(["a red cat"]), strict=True):
        assert torch.equal(ours, theirs)
    rounded, _ = CaptionEncoder.load(tmp_path, max_length=20, dtype=torch.bfloat16).encode(["a red cat"])
    assert rounded.dtype == torch.float32
    assert torch.allclose(rounded, captions.encode(["a red cat"])[0], atol=0.1)


def test_float16_and_mismatched_folders_are_refused(captions, tmp_path):
    with pytest.raises(ProxytuneError, match="float16") as refused:
        tiny_captions(dtype=torch.float16)
    assert refused.value.name == "ModelMismatch"
    with pytest.raises(ProxytuneError, match="text_encoder/"):
        CaptionEncoder.load(tmp_path)
    captions.tokenizer.add_tokens(["newword"])
    try:
        with pytest.raises(ProxytuneError, match="does not belong"):
            CaptionEncoder(captions.text_encoder, captions.tokenizer)
    finally:
        captions.tokenizer = tiny_captions().tokenizer
