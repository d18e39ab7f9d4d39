"""Curation: decides which proxies the student is trained on, and whether another round would add anything.

    curate       curate: the curate job, from a round's proxies to curation.json
    embeddings   Embeddings, compute_embeddings: each image is encoded once over all rounds
    criteria     Limits, classify: kept or dropped, with the reasons
    coverage     measure_coverage: what each round added

Later stages read curation.json with `proxytune.images.curated`, which needs no encoder.
"""
