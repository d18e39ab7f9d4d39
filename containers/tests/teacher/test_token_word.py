import pytest

from dev.tiny_models.tokenizers import clip_tokenizer
from proxytune.contract.errors import ProxytuneError
from proxytune.teacher.token_word import check


@pytest.fixture(scope="module")
def tokenizers():
    return [clip_tokenizer(), clip_tokenizer(pad_token="!")]


def test_a_plain_word_survives(tokenizers):
    check("ohwx", ["a ohwx dog", "a photo of ohwx dog in the snow"], tokenizers)


@pytest.mark.parametrize(
    ("word", "prompt", "reason"),
    [
        ("S*", "a S* dog", "reads it as 's"),
        ("a1b2", "a a1b2 dog", "reads it as"),
        ("Ohwx", "a Ohwx dog", "reads it as 'ohwx'"),
        ("ohwx", "a dog", "does not contain it"),
        ("ohwx", "a ohwxy dog", "does not contain it"),
        ("ohwx", "x" * 90 + " ohwx", "after the 77 tokens"),
    ],
)
def test_a_word_that_does_not_reach_the_model_is_refused(tokenizers, word, prompt, reason):
    with pytest.raises(ProxytuneError, match=reason) as caught:
        check(word, ["a ohwx dog" if word == "ohwx" else prompt, prompt], tokenizers)
    assert caught.value.name == "TokenWordUnusable"
