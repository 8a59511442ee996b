//! Templates + claims + figures -> Markdown, LaTeX, HTML. The only door for a number into prose. Knows nothing of MLX.
