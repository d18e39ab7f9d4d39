"""The encoder of SigLIP 2's classes: words, texts, patches, and the folder as stock classes read it."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F
from transformers import AutoModel, AutoProcessor, AutoTokenizer, Siglip2Model, Siglip2Tokenizer

from dev.pretraining import siglip
from dev.pretraining.descriptions import describe, true_descriptions, words
from dev.pretraining.encoder_folders import write_siglip
from dev.pretraining.siglip import BARE, CUT, SiglipTrainable, patch_tokens, pooled, subjects, text_vectors
from dev.pretraining.tokenizers import domain_words
from proxytune.drawn_world.scene import CONTEXTS

# float16 keeps eleven bits.
HALF = 5e-3
PROMPTS = ["a photo of a red mug with blue bands and cyan trim at night", "a fish", "at sunset"]


@pytest.fixture(scope="module")
def written(corpus, tmp_path_factory):
    torch.manual_seed(3)
    module = SiglipTrainable(corpus, 6).module
    folder = tmp_path_factory.mktemp("siglip")
    write_siglip(folder, module)
    return module, folder, AutoModel.from_pretrained(folder, local_files_only=True).float()


def test_every_word_is_one_token_at_any_place_also_after_reading_the_files(tmp_path):
    tokenizer = siglip.make_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    back = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    assert type(back) is Siglip2Tokenizer
    for reader in (tokenizer, back):
        for word in domain_words() | words():
            assert len(reader(word, add_special_tokens=False).input_ids) == 1, word
            both = reader(f"a {word}", add_special_tokens=False).input_ids
            assert reader.decode(both) == f"a {word}"
            assert len(both) == 2, word
        assert reader("a MUG").input_ids == reader("a mug").input_ids
        ids = reader(["a zwxq mug é", "a mug"], padding="max_length").input_ids
        assert [len(row) for row in ids] == [64, 64]
        assert reader.convert_ids_to_tokens(ids[1][:4]) == ["a", "▁mug", "<eos>", "<pad>"]
        assert reader.decode(ids[0], skip_special_tokens=True) == "a zwxq mug é"


def test_the_texts_that_are_true_of_an_image_are_those_that_describe_it(corpus):
    numbers = torch.arange(60)
    rng = torch.Generator().manual_seed(0)
    for _ in range(3):
        for number, text in zip(numbers.tolist(), describe(corpus, numbers, rng), strict=True):
            assert text in true_descriptions(corpus, number)
    for number in range(20):
        texts = true_descriptions(corpus, number)
        assert len(texts) == 8
        # A description is true of another image only as far as it is the same.
        other = true_descriptions(corpus, number + 20)
        for text in texts & other:
            named = next(context for context in (*CONTEXTS, "") if text.endswith(context))
            assert not named or corpus.context[number] == corpus.context[number + 20]
            assert corpus.category[number] == corpus.category[number + 20]


def test_truths_of_a_batch_are_by_image_and_text(corpus):
    trainable = SiglipTrainable(corpus, 6)
    numbers = torch.arange(8)
    texts = [sorted(true_descriptions(corpus, number))[-1] for number in range(8)]
    truths = trainable._truths(numbers, [*texts, *BARE])
    assert truths.shape == (8, 8 + len(BARE))
    assert (truths.diagonal() == 1).all()
    # Each category stands in BARE with each of two frames.
    assert (truths[:, 8:].sum(dim=1) == 2).all()


def test_the_folder_holds_a_siglip_2_without_what_only_training_needs(written):
    _, folder, stock = written
    assert isinstance(stock, Siglip2Model)
    _, info = AutoModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    assert not any(info.values())


def test_the_stock_image_processor_and_model_give_the_patches_that_were_trained(written, corpus):
    module, folder, stock = written
    processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    images = [Image.fromarray(corpus.pixels[number]) for number in range(3)]
    inputs = processor.image_processor(images=images, return_tensors="pt")
    assert inputs["spatial_shapes"].tolist() == [[8, 8]] * 3
    with torch.no_grad():
        theirs = stock.vision_model(**inputs)
        tokens = patch_tokens(module, corpus.pictures(torch.arange(3)))
        ours = pooled(module, tokens, None)
    torch.testing.assert_close(theirs.last_hidden_state, tokens, atol=HALF, rtol=HALF)
    torch.testing.assert_close(F.normalize(theirs.pooler_output, dim=-1), ours, atol=HALF, rtol=HALF)


def test_a_wide_image_keeps_its_shape_within_the_same_number_of_patches(written):
    _, folder, stock = written
    processor = AutoProcessor.from_pretrained(folder, local_files_only=True).image_processor
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 128, 3), np.uint8))
    inputs = processor(images=[image], return_tensors="pt")
    height, width = inputs["spatial_shapes"][0].tolist()
    assert height * width <= 64
    assert width > 1.7 * height
    assert stock.vision_model(**inputs).last_hidden_state.shape == (1, 64, 96)


def test_the_stock_processor_and_model_read_texts_as_the_training_does(written):
    module, folder, stock = written
    processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    inputs = processor(text=PROMPTS, padding="max_length", return_tensors="pt")
    with torch.no_grad():
        theirs = stock.text_model(input_ids=inputs["input_ids"]).pooler_output
        ours = text_vectors(module, siglip.make_tokenizer(), PROMPTS)
    torch.testing.assert_close(F.normalize(theirs, dim=-1), ours, atol=HALF, rtol=HALF)


def test_patches_that_are_hidden_do_not_reach_the_vector(written):
    module, _, _ = written
    tokens = torch.randn(2, 64, 96, generator=torch.Generator().manual_seed(0))
    visible = torch.arange(64).expand(2, 64) < torch.tensor([[10], [50]])
    changed = torch.where(visible[..., None], tokens, 9.0)
    with torch.no_grad():
        one, other = pooled(module, tokens, visible), pooled(module, changed, visible)
        # The pooling of MaSC: the head's own attention with the hidden patches as padding.
        head = module.vision_model.head
        probe = head.probe.repeat(2, 1, 1)
        state = head.attention(probe, tokens, tokens, key_padding_mask=~visible)[0]
        expected = F.normalize((state + head.mlp(head.layernorm(state)))[:, 0], dim=-1)
    torch.testing.assert_close(one, other)
    torch.testing.assert_close(one, expected)


def test_a_subject_is_the_weighted_sum_of_its_patches():
    tokens = torch.eye(4)[None]
    vector = subjects(tokens, torch.tensor([[3.0, 4.0, 0.0, 0.0]]))
    torch.testing.assert_close(vector, torch.tensor([[0.6, 0.8, 0.0, 0.0]]))


def test_masks_are_cut_into_patches_as_images_are(corpus):
    mask = torch.zeros(1, 32, 32)
    mask[0, 5, 30] = 1
    cut = siglip.pixels_of(mask)
    assert cut.shape == (1, 64, 16)
    # Row 5 lies in the second row of patches, column 30 in the last; inside it is row 1, column 2.
    assert cut.nonzero().tolist() == [[0, 15, 6]]


def test_a_step_takes_few_categories_and_two_views_of_each_subject(corpus):
    trainable = SiglipTrainable(corpus, 12)
    first = trainable._sampled_subjects(torch.Generator().manual_seed(0))
    assert len(first) == len(set(first.tolist())) == 6
    assert len(set(corpus.category[first.numpy()].tolist())) == 3
    loss = trainable.loss(0, torch.Generator().manual_seed(0))
    loss.backward()
    untaught = {name for name, value in trainable.module.named_parameters() if value.grad is None}
    assert untaught == set()
    assert len(CUT) == len(BARE) == 12
