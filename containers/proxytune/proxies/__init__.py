"""Pictures on their way: what is asked for, and the shard they travel in.

chunk        Chunk, parse(bytes): a request for a few pictures
maker        PictureMaker: what every family's sampler offers
loading      maker_for(role, family, ...), load_onto_device(maker, ...)
room         Room: how many pictures the memory holds at once
drawing      draw_shard(maker, chunk, model) -> bytes: pictures are packed while others are drawn
shard        write(pictures) -> bytes, read(path) -> pictures: tar, WebDataset layout, same bytes every time
collection   read_all(folder), read_proxies(folder, count): many shards as one set
synthesis    synthesize(folders, ...): the proxies drawn by a training job, for managed spot
"""
