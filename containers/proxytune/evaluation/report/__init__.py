"""The report of a run: a page, index.html, from templates/.

page         write_report: the page from its parts
scores       score_table, exact_table, shares_kept
facts        settings, planned_stages, licence_lines
curves       curve: a line over steps or proxies
curation     show_curation, reasons_table: the kept and dropped proxies
next_steps   next_steps: commands and advice after the run
"""
