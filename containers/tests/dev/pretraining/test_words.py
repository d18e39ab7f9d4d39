import pytest
from transformers import AutoTokenizer, CLIPTokenizer

from dev.drawn_subjects.captions import caption
from dev.pretraining.descriptions import words
from dev.pretraining.encoders import make_clip_tokenizer
from dev.pretraining.student import SLOTS, make_tokenizer
from dev.pretraining.teacher import make_tokenizers
from dev.pretraining.tokenizers import byte_pair_merges, domain_words
from proxytune.drawn_world.appearance import CATEGORIES
from proxytune.drawn_world.scene import CONTEXTS
from proxytune.student.families.llamagen import CaptionEncoder
from proxytune.teacher import token_word as teacher_words

TOKEN_WORDS = ["ohwx", "sks", "carfish", "zwxyqvjkbpgd"]


def reread(tokenizer, folder):
    tokenizer.save_pretrained(folder)
    kind = CLIPTokenizer if isinstance(tokenizer, CLIPTokenizer) else AutoTokenizer
    return kind.from_pretrained(folder, local_files_only=True)


def test_every_word_of_the_domain_is_one_token_also_after_reading_the_files(tmp_path):
    tokenizers = [*make_tokenizers(), make_tokenizer(), make_clip_tokenizer()]
    for number, tokenizer in enumerate(tokenizers):
        back = reread(tokenizer, tmp_path / str(number))
        for word in domain_words() | (words() if number == 3 else set()):
            for reader in (tokenizer, back):
                assert len(reader(word, add_special_tokens=False).input_ids) == 1, word
                assert reader.decode(reader(word, add_special_tokens=False).input_ids).strip() == word


def test_merges_are_the_same_whatever_the_order_of_the_words():
    assert byte_pair_merges(["table", "the", "beach"]) == byte_pair_merges(["beach", "the", "table", "the"])
    assert byte_pair_merges(["a"]) == []


@pytest.mark.parametrize("word", TOKEN_WORDS)
def test_any_token_word_reaches_the_teacher_in_every_prompt(word):
    prompts = [caption(category, context, word) for category in CATEGORIES for context in (*CONTEXTS, None)]
    teacher_words.check(word, prompts, make_tokenizers())


@pytest.mark.parametrize("word", TOKEN_WORDS)
def test_any_token_word_reaches_the_student_in_every_prompt(word):
    from dev.pretraining.student import make_text_encoder

    tokenizer = make_tokenizer()
    captions = CaptionEncoder(make_text_encoder(tokenizer), tokenizer, SLOTS)
    for category in CATEGORIES:
        for context in (*CONTEXTS, None):
            captions.check_word(word, caption(category, context, word))
