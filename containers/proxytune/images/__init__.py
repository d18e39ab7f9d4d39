"""Images that stages exchange: requests for them, and the shards that they are stored in.

chunk     Chunk, parse(bytes): a request for a few images
png       encode_png(image): the same bytes for the same image
shard     write(images) -> bytes, read(path) -> images: a tar in the WebDataset layout, reproducible
dataset   read_all(folder), read_proxies(folder, count): many shards as one dataset
curated   read_curated_proxies(...): the proxies that the curation kept, and those that it dropped
"""
