"""A repository of a few small files, and imports of it."""

from proxytune.importing.hub import Hub
from proxytune.importing.importer import import_files

REPOSITORY = "owner/tiny"
LICENCE = {"name": "MIT", "url": "https://example.com", "commercial": "yes", "note": "none"}
LARGE = bytes(range(250)) * 40
FILES = {
    "model_index.json": b'{"_class_name": "x"}',
    "unet/config.json": b"{}",
    "unet/model-00001-of-00002.safetensors": LARGE,
    "unet/model-00002-of-00002.safetensors": LARGE[::-1],
    "unet/model.fp16-00001-of-00002.safetensors": LARGE[:5000],
    "unet/model.onnx": LARGE,
    "tokenizer/vocab.json": b"[]",
    "tokenizer/deeper/x.json": b"no",
    "README.md": b"words",
}
WANTED = ["model_index.json", "unet/config.json", "unet/model-*.safetensors", "tokenizer/*"]
CHOSEN = [
    "model_index.json",
    "tokenizer/vocab.json",
    "unet/config.json",
    "unet/model-00001-of-00002.safetensors",
    "unet/model-00002-of-00002.safetensors",
]
FIRST = CHOSEN[3]


def import_request(**changes):
    return {
        "version": 1,
        "model": "x",
        "repository": REPOSITORY,
        "revision": None,
        "files": WANTED,
        "licence": LICENCE,
        "gated": False,
        "secret": None,
        "bucket": "b",
        "prefix": "models/x/",
        **changes,
    }


def import_to(target, token=None, gated=False, **changes):
    wanted = import_request(gated=gated, **changes)
    lines = []
    hub = Hub(wanted["repository"], wanted["revision"], token, gated, wanted["secret"])
    manifest = import_files(wanted, hub, target, lambda line, done, of: lines.append(f"{done}/{of} {line}"))
    return manifest, lines


def content_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


def large_requests(server):
    return [entry for entry in server.state.requests if entry.startswith("/large/")]


def objects(client, name):
    listed = client.list_objects_v2(Bucket=name).get("Contents", [])
    return {entry["Key"]: client.get_object(Bucket=name, Key=entry["Key"])["Body"].read() for entry in listed}
