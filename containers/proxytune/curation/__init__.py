"""Which proxies the student learns from, and whether more of them would add something.

    curate      curate: the curate job, from a round's proxies to curation.json
    measured    Measured, measure: the encoders' vectors, each picture's computed once over all rounds
    criteria    Limits, judge: kept or dropped, with the reasons
    coverage    evidence: what each round added

What later stages read of it is in `proxytune.images.kept`, which needs no encoder.
"""
