//! One layer's modules: what mixes positions, what feeds each, and the norms around them.

use mlx_rs::{Array, error::Result, nn, ops};

use crate::model::{
    attention::Attention,
    conv::Conv,
    delta::Delta,
    feed::Feed,
    kernels::Kernels,
    linear::Linear,
    norm::Norm,
    spec::{self, Spec},
    weights::{Loaded, Source},
};

/// Mixes positions, then feeds each.
#[derive(Debug)]
pub struct Layer {
    pub mixer: Mixer,
    pub feed: Feed,
    /// At the places of [`spec::Norms`].
    pub norms: Norms,
    pub parallel: bool,
    pub per_layer: Option<PerLayerGate>,
    /// `[1]`.
    pub scalar: Option<Array>,
}

#[derive(Debug)]
pub struct Norms {
    pub before_mixer: Option<Norm>,
    pub after_mixer: Option<Norm>,
    pub before_feed: Option<Norm>,
    pub after_feed: Option<Norm>,
}

#[derive(Debug)]
pub enum Mixer {
    Attention(Box<Attention>),
    Delta(Box<Delta>),
    Conv(Conv),
}

impl Layer {
    pub fn load(source: &mut Source<'_>, spec: &Spec, layer: usize, kernels: &Kernels) -> Loaded<Self> {
        let of = &spec.layers[layer];
        let joined = kernels.joined();
        let mixer = match &of.mixer {
            spec::Mixer::Attention(of) => {
                Mixer::Attention(Box::new(Attention::load(source, spec, layer, of, joined.qkv)?))
            }
            spec::Mixer::Delta(of) => Mixer::Delta(Box::new(Delta::load(source, spec, layer, *of)?)),
            spec::Mixer::Conv(of) => Mixer::Conv(Conv::load(source, spec, layer, *of)?),
        };
        let feed = Feed::load(source, spec, layer, joined.gate_up)?;
        let mut norm = |name: Option<&str>| {
            name.map(|name| Norm::load(source, spec.norm, &spec.in_layer(layer, name), spec.hidden)).transpose()
        };
        let [before_mixer, after_mixer, before_feed, after_feed] = of.norms.named();
        let norms = Norms {
            before_mixer: norm(before_mixer)?,
            after_mixer: norm(after_mixer)?,
            before_feed: norm(before_feed)?,
            after_feed: norm(after_feed)?,
        };
        let per_layer = spec.per_layer.map(|of| PerLayerGate::load(source, spec, layer, of)).transpose()?;
        let scalar =
            if of.scalar { Some(source.weights.float(&spec.in_layer(layer, "layer_scalar"), &[1])?) } else { None };
        Ok(Layer { mixer, feed, norms, parallel: of.norms.parallel, per_layer, scalar })
    }

    pub fn arrays(&self) -> Vec<&Array> {
        let mut arrays = match &self.mixer {
            Mixer::Attention(attention) => attention.arrays(),
            Mixer::Delta(delta) => delta.arrays(),
            Mixer::Conv(conv) => conv.arrays(),
        };
        arrays.extend(self.feed.arrays());
        let Norms { before_mixer, after_mixer, before_feed, after_feed } = &self.norms;
        let norms = [before_mixer, after_mixer, before_feed, after_feed].into_iter().flatten();
        arrays.extend(norms.map(|norm| &norm.weight));
        arrays.extend(self.per_layer.iter().flat_map(PerLayerGate::arrays));
        arrays.extend(&self.scalar);
        arrays
    }
}

/// What a layer makes of its own input.
#[derive(Debug)]
pub struct PerLayerGate {
    gate: Linear,
    projection: Linear,
    norm: Norm,
}

impl PerLayerGate {
    pub fn load(source: &mut Source<'_>, spec: &Spec, layer: usize, of: spec::PerLayer) -> Loaded<Self> {
        let path = |name: &str| spec.in_layer(layer, name);
        Ok(PerLayerGate {
            gate: Linear::load(source, &path("per_layer_input_gate"), &[of.size, spec.hidden], false)?,
            projection: Linear::load(source, &path("per_layer_projection"), &[spec.hidden, of.size], false)?,
            norm: Norm::load(source, spec.norm, &path("post_per_layer_input_norm"), spec.hidden)?,
        })
    }

    pub fn apply(&self, x: &Array, input: &Array) -> Result<Array> {
        let gated = ops::multiply(nn::gelu_approximate(self.gate.apply(x)?)?, input)?;
        self.norm.apply(&self.projection.apply(&gated)?)
    }

    pub fn arrays(&self) -> Vec<&Array> {
        let mut arrays = self.gate.arrays();
        arrays.extend(self.projection.arrays());
        arrays.push(&self.norm.weight);
        arrays
    }
}
