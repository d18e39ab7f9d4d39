"""How good the teacher and the student became: encoders, scores and the report.

preprocessing   Preprocessing: from a picture to the numbers an encoder sees
encoders        ClipEncoder, DinoEncoder: unit vectors of pictures and texts
samples         Sample, read_references, read_shards: the pictures of the run
scores          ScoredRow, score_row, interval: cosine similarities and their intervals
metrics         build_metrics, write_metrics: metrics.json and metrics.csv
verdict         verdict: the run in one sentence
report          write_report: index.html and its pictures
evaluate        evaluate: the evaluate job, from channels to outputs
"""
