"""How good the teacher and the student became: scores, metrics.json and the report.

Import from the modules, not from here, so that a process loads only what it uses:

    evaluate        evaluate: the evaluate job, from channels to outputs
    collect         collect: the pictures of the run, checked against its plan
    pictures        ScoredPicture; save_view: the files that the report shows
    exact           judge_of, exact_row: the same against the truth, where a request tells it
    verdict         verdict: the run in one sentence
    metrics_file    build_metrics, write_metrics: metrics.json and metrics.csv
    development     read_development: the teacher's samples along the way, and which checkpoint was chosen
    report          the report's page

Encoders and scores are in `proxytune.metrics`.
"""
