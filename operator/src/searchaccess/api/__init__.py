"""The kinds of the group searchaccess.dev: pydantic models, conditions, reasons and the CRDs made from them."""
