"""Prompts that are read before the chunks come."""

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


def test_each_prompt_of_all_chunks_is_told_once_from_the_bucket_and_from_a_folder(aws, tmp_path):
    client = aws("s3")
    client.create_bucket(Bucket="upcoming")
    for name, text in chunks():
        (tmp_path / name).write_text(text)
        client.put_object(Bucket="upcoming", Key=f"runs/r/chunks/synthesize/{name}", Body=text.encode())
    client.put_object(Bucket="upcoming", Key="runs/r/chunks/synthesize2/chunk-0000.json", Body=b"{}")
    assert upcoming_prompts("s3://upcoming/runs/r/chunks/synthesize/") == ["a", "b", "c"]
    assert upcoming_prompts(f"file://{tmp_path}/") == ["a", "b", "c"]


def test_what_cannot_be_read_is_said_and_waited_for(tmp_path, capsys):
    (tmp_path / "chunk-0000.json").write_text("{}")
    assert upcoming_prompts(f"file://{tmp_path}") == []
    assert "The prompts are read as they come: ProxytuneError" in capsys.readouterr().out
