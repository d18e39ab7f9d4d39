"""Evaluation of teacher and student: scores, metrics.json and the report.

Import from the modules, not from here, so that a process loads only what it uses:

    evaluate        evaluate: the evaluate job, from channels to outputs
    collect         collect: the images of the run, checked against its plan
    encoders        load_encoders: what measures the images
    scoring         encode, score: every image opened once, and its scores
    pictures        ScoredPicture; save_view: the files of the report
    exact           exact_scorer, exact_row: measures against the ground truth, for requests that have one
    verdict         verdict: the result of the run in one sentence
    metrics_file    build_metrics, write_metrics: metrics.json and metrics.csv
    losses          read_losses, loss_curves: of both trainings
    validation      read_validation: the teacher's validation images, and the selected checkpoint
    report          the report's page

Encoders and scores are in `proxytune.metrics`.
"""
