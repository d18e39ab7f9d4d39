"""Pictures between the stages: what is asked for, and the shard they travel in.

chunk     Chunk, parse(bytes): a request for a few pictures
png       encode_png(image): the same bytes for the same image
shard     write(pictures) -> bytes, read(path) -> pictures: tar, WebDataset layout, same bytes every time
dataset   read_all(folder), read_proxies(folder, count): many shards as one set
kept      read_judged(...): the proxies by the verdict of the curation
"""
