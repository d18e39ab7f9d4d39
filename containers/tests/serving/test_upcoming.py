"""The prompts that are read before their chunks arrive."""

import json

from proxytune.serving.upcoming import upcoming_prompts

CHUNK = {
    "version": 1,
    "stage": "synthesize",
    "variant": "tuned",
    "size": 64,
    "batch_size": 2,
    "sampler": {"kind": "diffusion", "steps": 1, "guidance": 1},
}
PROMPTS = (["a", "b"], ["b", "c"])


def chunks():
    for number, prompts in enumerate(PROMPTS):
        pictures = [{"index": at, "prompt": prompt, "seed": at} for at, prompt in enumerate(prompts)]
        yield f"chunk-{number:04d}.json", json.dumps({**CHUNK, "chunk": number, "pictures": pictures})


def test_each_prompt_of_all_chunks_is_read_once_from_a_bucket_and_from_a_folder(aws, tmp_path):
    client = aws("s3")
    client.create_bucket(Bucket="upcoming")
    for name, text in chunks():
        (tmp_path / name).write_text(text)
        key = f"intermediates/r/chunks/synthesize/{name}"
        client.put_object(Bucket="upcoming", Key=key, Body=text.encode())
    client.put_object(Bucket="upcoming", Key="intermediates/r/chunks/synthesize2/chunk-0000.json", Body=b"{}")
    assert list(upcoming_prompts("s3://upcoming/intermediates/r/chunks/synthesize/")) == ["a", "b", "c"]
    assert list(upcoming_prompts(f"file://{tmp_path}/")) == ["a", "b", "c"]


def test_unreadable_chunks_are_logged_and_not_an_error(tmp_path, capsys):
    (tmp_path / "chunk-0000.json").write_text("{}")
    assert list(upcoming_prompts(f"file://{tmp_path}")) == []
    assert "The prompts are encoded when their chunks arrive: ProxytuneError" in capsys.readouterr().out
