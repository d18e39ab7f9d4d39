"""Generation of pictures by any family: from chunks to shards.

generator       ImageGenerator: what every family's sampler offers
loading         maker_for(role, family, ...), load_onto_device(maker, ...)
batch_backoff   BatchBackoff: how many pictures the memory holds at once
rendering       draw_shard(maker, chunk, model) -> bytes: pictures are packed while others are drawn
job             synthesize(folders, ...): the proxies drawn by a training job, for managed spot
"""
