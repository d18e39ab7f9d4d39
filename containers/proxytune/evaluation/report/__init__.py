"""The report of a run: one page, index.html, from templates/.

page         write_report: the page from its parts
scores       score_table, exact_table, shares_kept
facts        settings, planned_stages, licence_lines
curves       curve: a line over steps or pictures
curation     show_curation, reasons_table: the proxies that were kept and dropped
next_steps   next_steps: what to try after this run
"""
