//! A source -> a verified checkpoint folder -> strictly loaded weights -> the Llama module.
//! Knows nothing of text and clocks.
