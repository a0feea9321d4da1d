"""The statistics of the field, each in one place, for whoever scores, audits or reports.

`measures` holds macro-F1, Matthews correlation and areas under the ROC curve; `bootstrap` their intervals over cases;
`comparison` tests of two methods on the same items; `policies` what one scores without reading the case. Works on
arrays and names: knows no torch, no item, and nothing of scoring, audit or report.
"""
