//! Summary -> figures as SVG, PDF and PNG bytes, with an embedded font and no system fonts. Writes no files.
