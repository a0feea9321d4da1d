"""The statistics of the field, each in one place, for scoring, audits and reports.

`measures` holds macro-F1, Matthews correlation and areas under the ROC curve; `bootstrap` their intervals over cases;
`comparison` tests of two methods on the same items; `policies` what can be scored without reading the case. Works on
arrays and names: knows no torch, no item, and nothing of scoring, audit or report.
"""
