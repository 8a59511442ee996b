//! What a decoder computes, as data: one description for every architecture, written by `readers` from `config.json`, and acted
//! upon by the graph (`decoder`) and by the fast steps, each of which says what it cannot do. Names are those of the
//! checkpoint's tensors. What is code and no field is a kind of mixer or of feed.

/// A whole decoder: embedding, layers, last norm, head.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    pub hidden: usize,
    pub vocabulary: usize,
    pub layers: Vec<Layer>,
    pub norm: Norm,
    /// Rotations that layers share, by number.
    pub ropes: Vec<Rope>,
    /// The embedding is multiplied by it.
    pub embedding_scale: f32,
    /// What a layer adds is multiplied by it.
    pub residual_scale: f32,
    /// Inputs of their own that layers have (Gemma 4).
    pub per_layer: Option<PerLayer>,
    pub head: Head,
    /// Logits are multiplied by it, and then bent below a cap: `cap tanh(x / cap)`.
    pub logit_scale: f32,
    pub logit_cap: Option<f32>,
    /// Of every module: `language_model.` where pictures have a tower of their own.
    pub prefix: &'static str,
    /// The last norm.
    pub last_norm: &'static str,
    pub original: Original,
    pub conversion: Conversion,
}

/// Where the head's matrix comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// The embedding's.
    Tied,
    /// `lm_head`.
    Own,
    /// `lm_head` where it is stored, else the embedding's.
    AsStored,
}

/// One kind of norm a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norm {
    pub kind: NormKind,
    pub epsilon: f32,
    /// What is stored is the weight less one.
    pub less_one: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// By the root of the mean square.
    Rms,
    /// By mean and deviation, without a bias.
    Layer,
}

/// Mixes positions, then feeds each.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    pub mixer: Mixer,
    pub feed: Feed,
    pub norms: Norms,
    /// The layer's result is multiplied by `layer_scalar`.
    pub scalar: bool,
}

/// A layer's norms, by name; `None`: there is none at this place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Norms {
    pub before_mixer: Option<&'static str>,
    /// Of what the mixer adds.
    pub after_mixer: Option<&'static str>,
    pub before_feed: Option<&'static str>,
    pub after_feed: Option<&'static str>,
    /// Mixer and feed read the same: `before_mixer`'s result.
    pub parallel: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Mixer {
    Attention(Attention),
    Delta(Delta),
    Conv(Conv),
}

/// Attention over keys and values of the past.
#[derive(Debug, Clone, PartialEq)]
pub struct Attention {
    pub path: &'static str,
    pub output: &'static str,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    /// Queries, keys and values are stored as one matrix, of this name.
    pub joined: Option<&'static str>,
    pub qkv_bias: bool,
    pub output_bias: bool,
    /// Queries and keys are normed before they are rotated.
    pub qk_norm: Option<QkNorm>,
    /// Values are normed, without a weight.
    pub value_norm: bool,
    /// `q_proj` is twice as high: of each head its query, then a gate that its result goes through.
    pub gated: bool,
    /// Of `Spec::ropes`; `None`: positions are not told.
    pub rope: Option<usize>,
    /// A position sees itself and those before it, so many in all; `None`: all of the past.
    pub window: Option<usize>,
    /// Scores are multiplied by it ...
    pub scale: f32,
    /// ... and bent below a cap.
    pub cap: Option<f32>,
    /// A weight a head that takes part in the softmax and gives nothing.
    pub sinks: bool,
    /// Queries grow with the logarithm of their position.
    pub query_gain: Option<QueryGain>,
    pub keys: Keys,
}

/// Whose keys and values a layer attends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// Its own.
    Own,
    /// Its own keys; values are the keys as they were before norm and rotation.
    OwnForBoth,
    /// Those of an earlier layer.
    Of(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QkNorm {
    pub query: &'static str,
    pub key: &'static str,
    /// Over all heads at once, or (`false`) a head at a time.
    pub whole: bool,
}

/// Queries times `1 + beta ln(1 + floor(position / positions))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QueryGain {
    pub beta: f32,
    pub positions: f32,
}

/// A rotation of queries and keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Dimensions of a head that are rotated, the first; even.
    pub dims: usize,
    /// Pairs are neighbours, not the two halves.
    pub interleaved: bool,
    pub angles: Angles,
    /// Positions are multiplied by it.
    pub scale: f32,
    /// What is rotated is multiplied by it.
    pub gain: f32,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Angles {
    /// Pair `i` turns by `base^(-2 i / dims)` radians a position.
    Base(f32),
    /// ... by the reciprocal of the i-th; infinite: not at all.
    Periods(Vec<f32>),
    /// A base that grows with the sequence beyond `positions` (dynamic NTK).
    Growing { base: f32, factor: f32, positions: usize },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Feed {
    Dense(Dense),
    Experts(Experts),
    /// Both, each with a norm of its own before and after, and their sum (Gemma 4).
    Beside(Dense, Experts),
}

/// `down(activation(gate(x), up(x)))`.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    pub path: &'static str,
    /// Names of gate, up, down.
    pub names: [&'static str; 3],
    /// Gate and up are stored as one matrix, of this name.
    pub joined: Option<&'static str>,
    pub inner: usize,
    pub bias: bool,
    pub activation: Activation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `silu(gate) * up`.
    Silu,
    /// `gelu(gate) * up`, by the tangent's approximation.
    Gelu,
    /// gpt-oss': `min(gate, 7) sigmoid(1.702 min(gate, 7)) (clip(up, ±7) + 1)`.
    ClippedSwiglu,
}

/// A router chooses `top` of `count` feeds for each position, and adds what they give, weighted.
#[derive(Debug, Clone, PartialEq)]
pub struct Experts {
    /// Of the router, whole; it may have a bias.
    pub router: &'static str,
    pub router_bias: bool,
    /// Of the experts' matrices, whole; they may have biases.
    pub path: &'static str,
    pub bias: bool,
    pub count: usize,
    pub top: usize,
    pub inner: usize,
    pub routing: Routing,
    pub activation: Activation,
    pub shared: Option<Shared>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Routing {
    /// Weights are a softmax over all, of which the highest are taken.
    SoftmaxFirst { renormalise: bool },
    /// A softmax over the highest.
    TopFirst,
    /// The same of an input normed for the router (`router.scale`), each weight times the expert's `per_expert_scale`.
    Scaled,
    /// Sigmoids; the highest after `expert_bias` are taken, renormalised if asked for, and scaled.
    Sigmoid { biased: bool, renormalise: bool, scale: f32 },
}

/// A feed for every position, beside the chosen ones, weighted by a sigmoid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shared {
    pub path: &'static str,
    pub gate: &'static str,
    pub inner: usize,
}

/// Linear attention by the gated delta rule, behind a short convolution (Qwen3-Next, Qwen3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delta {
    pub path: &'static str,
    pub key_heads: usize,
    pub value_heads: usize,
    pub key_dim: usize,
    pub value_dim: usize,
    /// Taps of the convolution.
    pub kernel: usize,
    /// One matrix for queries, keys, values and gates, dealt out by key head, and one for decays and rates.
    pub joined: bool,
}

/// A gated convolution over the last positions (LFM2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv {
    pub path: &'static str,
    pub kernel: usize,
    pub bias: bool,
}

/// An embedding a layer, added behind each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerLayer {
    pub size: usize,
    pub vocabulary: usize,
}

/// How its makers store what mlx-lm stores otherwise; both are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Original {
    /// Prefixes of tensors that are no part of the text model: towers for pictures and sound, heads for further tokens.
    pub dropped: &'static [&'static str],
    /// Prefixes, and what they are here.
    pub renamed: &'static [(&'static str, &'static str)],
    pub experts: StoredExperts,
    /// Where the convolution's taps are the last axis the weights are the maker's, whose norms are less one (Qwen3.5, Qwen3-Next).
    pub norms_less_one: bool,
}

/// What mlx-lm's `convert` treats otherwise than the rest, by the ends of names (a model's `quant_predicate` and `cast_predicate`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Conversion {
    /// Modules that get 8 bits in groups of 64, whatever the others get.
    pub wide: &'static [&'static str],
    /// Tensors that keep the type that they are stored in.
    pub uncast: &'static [&'static str],
}

/// How the experts of one layer are stored where they are not as mlx-lm stores them: one array of all for gate, up and down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoredExperts {
    #[default]
    Stacked,
    /// A tensor each: names of their folder (`experts`), gate, up, down.
    Apart([&'static str; 4]),
    /// `experts.gate_up_proj`, gates first, and `experts.down_proj`.
    Joined,
}

impl Norms {
    /// Llama's.
    pub const BEFORE: Norms = Norms {
        before_mixer: Some("input_layernorm"),
        after_mixer: None,
        before_feed: Some("post_attention_layernorm"),
        after_feed: None,
        parallel: false,
    };

    pub(crate) fn named(&self) -> [Option<&'static str>; 4] {
        [self.before_mixer, self.after_mixer, self.before_feed, self.after_feed]
    }
}

impl Spec {
    /// The path of a module of the model: `model.norm`.
    pub fn path(&self, name: &str) -> String {
        format!("{}model.{name}", self.prefix)
    }

    /// ... and of a module of a layer.
    pub fn in_layer(&self, layer: usize, name: &str) -> String {
        format!("{}model.layers.{layer}.{name}", self.prefix)
    }

    /// What a layer has whose state keeps no position apart, so that none can be taken away; `None`: all can be cut back.
    pub fn lasting(&self) -> Option<&'static str> {
        self.layers.iter().find_map(|layer| match layer.mixer {
            Mixer::Attention(_) => None,
            Mixer::Delta(_) => Some("gated delta nets"),
            Mixer::Conv(_) => Some("convolutions"),
        })
    }

    /// The longest past that some layer forgets, where some do: their window.
    pub fn window(&self) -> Option<usize> {
        let of = |layer: &Layer| match &layer.mixer {
            Mixer::Attention(attention) => attention.window,
            Mixer::Delta(_) | Mixer::Conv(_) => None,
        };
        self.layers.iter().filter_map(of).min()
    }
}
