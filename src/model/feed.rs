//! What a layer does to each position by itself: a dense feed, or experts of which a router chooses some.

use mlx_rs::{Array, error::Result, fast, nn, ops};

use crate::model::{
    linear::{Linear, Projections},
    norm::Norm,
    spec::{self, Activation, Routing, Spec},
    step::cuda::Cuda,
    weights::{Loaded, Source},
};

/// Positions times chosen experts from which on they are sorted by expert, as mlx-lm does.
const SORTED: usize = 64;

/// A layer's feed.
#[derive(Debug)]
pub enum Feed {
    Dense(Dense),
    Experts(Box<Experts>),
    Beside(Box<Beside>),
}

impl Feed {
    pub fn load(source: &mut Source<'_>, spec: &Spec, layer: usize, join: bool) -> Loaded<Self> {
        Ok(match &spec.layers[layer].feed {
            spec::Feed::Dense(of) => {
                let dense = Dense::load(source, spec, &spec.in_layer(layer, of.path), of, join)?;
                Feed::Dense(dense)
            }
            spec::Feed::Experts(of) => Feed::Experts(Box::new(Experts::load(source, spec, layer, of)?)),
            spec::Feed::Beside(dense, experts) => {
                Feed::Beside(Box::new(Beside::load(source, spec, layer, dense, experts)?))
            }
        })
    }

    /// `[1, n, hidden]` to the same shape. `normed`: the input; `raw`: the same before its norm.
    pub fn apply(&self, normed: &Array, raw: &Array, cuda: Option<&Cuda>) -> Result<Array> {
        match self {
            Feed::Dense(dense) => dense.apply(normed, cuda),
            Feed::Experts(experts) => experts.apply(normed, normed),
            Feed::Beside(beside) => beside.apply(normed, raw),
        }
    }

    pub fn arrays(&self) -> Vec<&Array> {
        match self {
            Feed::Dense(dense) => dense.arrays(),
            Feed::Experts(experts) => experts.arrays(),
            Feed::Beside(beside) => beside.arrays(),
        }
    }
}

/// `activation(gate, up)`.
fn activated(activation: Activation, gate: &Array, up: &Array) -> Result<Array> {
    match activation {
        Activation::Silu => ops::multiply(nn::silu(gate)?, up),
        Activation::Gelu => ops::multiply(nn::gelu_approximate(gate)?, up),
        Activation::ClippedSwiglu => {
            let number = |x: f32| Array::from_f32(x).as_dtype(gate.dtype());
            let (limit, below) = (number(7.0)?, number(-7.0)?);
            let gate = ops::minimum(gate, &limit)?;
            let up = ops::maximum(ops::minimum(up, &limit)?, below)?;
            let bent = ops::multiply(&gate, ops::sigmoid(ops::multiply(number(1.702)?, &gate)?)?)?;
            ops::multiply(ops::add(up, number(1.0)?)?, bent)
        }
    }
}

/// `down(activation(gate(x), up(x)))`.
#[derive(Debug)]
pub struct Dense {
    /// `gate_proj`, `up_proj`.
    pub gate_up: Projections,
    pub down_proj: Linear,
    pub activation: Activation,
}

impl Dense {
    fn load(source: &mut Source<'_>, spec: &Spec, path: &str, of: &spec::Dense, join: bool) -> Loaded<Self> {
        let (hidden, inner) = (spec.hidden, of.inner);
        let mut linear =
            |name: &str, shape: [usize; 2]| Linear::load(source, &format!("{path}.{name}"), &shape, of.bias);
        let [gate, up, down] = of.names;
        let gate_up = match of.joined {
            Some(name) => Projections::stored(linear(name, [2 * inner, hidden])?, &[inner, inner])?,
            None => Projections::new(vec![linear(gate, [inner, hidden])?, linear(up, [inner, hidden])?], join)?,
        };
        Ok(Dense { gate_up, down_proj: linear(down, [hidden, inner])?, activation: of.activation })
    }

    fn apply(&self, x: &Array, cuda: Option<&Cuda>) -> Result<Array> {
        let parts = self.gate_up.apply(x)?;
        if let ([both], Some(cuda), Activation::Silu) = (&parts[..], cuda, self.activation)
            && x.dim(1) == 1
            && cuda.fits_feed(both)
        {
            return self.down_proj.apply(&cuda.swiglu(both)?);
        }
        let parts = self.gate_up.apart(parts)?;
        self.down_proj.apply(&activated(self.activation, &parts[0], &parts[1])?)
    }

    fn arrays(&self) -> Vec<&Array> {
        self.gate_up.arrays().into_iter().chain(self.down_proj.arrays()).collect()
    }
}

/// Of so many experts the highest few, weighted.
#[derive(Debug)]
pub struct Experts {
    pub spec: spec::Experts,
    pub router: Linear,
    /// Matrices of all experts, `[count, rows, columns]`, and their biases, `[count, rows]`.
    pub gate: Linear,
    pub up: Linear,
    pub down: Linear,
    pub shared: Option<SharedExpert>,
    /// Of the ways to route that have them: weights of the router's own norm, scales of experts, biases of the choice.
    router_norm: Option<Array>,
    expert_scale: Option<Array>,
    pub expert_bias: Option<Array>,
    epsilon: f32,
}

/// An expert that every position has.
#[derive(Debug)]
pub struct SharedExpert {
    pub dense: Dense,
    /// `[1, hidden]`.
    pub gate: Linear,
}

impl Experts {
    fn load(source: &mut Source<'_>, spec: &Spec, layer: usize, of: &spec::Experts) -> Loaded<Self> {
        let (hidden, count, inner) = (spec.hidden, of.count, of.inner);
        let path = |name: &str| spec.in_layer(layer, name);
        let router = Linear::load(source, &path(of.router), &[count, hidden], of.router_bias)?;
        let (before, bytes) = (source.parameters.all, source.weights.bytes);
        let mut experts = |name: &str, rows: usize, columns: usize| {
            Linear::load(source, &path(&format!("{}.{name}", of.path)), &[count, rows, columns], of.bias)
        };
        let (gate, up, down) = (
            experts("gate_proj", inner, hidden)?,
            experts("up_proj", inner, hidden)?,
            experts("down_proj", hidden, inner)?,
        );
        let chosen = of.top.min(count) as u64;
        let idle = |of_all: u64| of_all / count as u64 * (count as u64 - chosen);
        source.parameters.idle += idle(source.parameters.all - before);
        source.parameters.unread += idle(source.weights.bytes - bytes);
        let shared = match of.shared {
            None => None,
            Some(shared) => {
                let names = ["gate_proj", "up_proj", "down_proj"];
                let dense = spec::Dense {
                    path: shared.path,
                    names,
                    joined: None,
                    inner: shared.inner,
                    bias: false,
                    activation: of.activation,
                };
                let dense = Dense::load(source, spec, &path(shared.path), &dense, false)?;
                Some(SharedExpert { dense, gate: Linear::load(source, &path(shared.gate), &[1, hidden], false)? })
            }
        };
        let (mut router_norm, mut expert_scale, mut expert_bias) = (None, None, None);
        match of.routing {
            Routing::Scaled => {
                let scale = source.weights.float(&path("router.scale"), &[hidden as i32])?;
                let root = Array::from_f32((hidden as f32).powf(-0.5)).as_dtype(scale.dtype())?;
                router_norm = Some(ops::multiply(scale, root)?);
                expert_scale = Some(source.weights.float(&path("router.per_expert_scale"), &[count as i32])?);
            }
            Routing::Sigmoid { biased: true, .. } => {
                let folder = of.router.rsplit_once('.').map_or("", |(folder, _)| folder);
                let name = path(&format!("{folder}.expert_bias"));
                expert_bias = Some(source.weights.float(&name, &[count as i32])?);
            }
            _ => {}
        }
        let epsilon = spec.norm.epsilon;
        Ok(Experts {
            spec: of.clone(),
            router,
            gate,
            up,
            down,
            shared,
            router_norm,
            expert_scale,
            expert_bias,
            epsilon,
        })
    }

    /// `[1, n, hidden]` to the same shape. `routed`: what the router sees.
    fn apply(&self, x: &Array, routed: &Array) -> Result<Array> {
        let (chosen, weights) = self.route(routed)?;
        let y = self.experts(x, &chosen)?;
        let y = ops::multiply(y, weights.expand_dims(-1)?)?.sum_axis(-2, false)?;
        match &self.shared {
            None => Ok(y),
            Some(shared) => {
                let weight = ops::sigmoid(shared.gate.apply(x)?)?;
                ops::add(y, ops::multiply(weight, shared.dense.apply(x, None)?)?)
            }
        }
    }

    /// The chosen experts and their weights, `[1, n, top]` each.
    fn route(&self, x: &Array) -> Result<(Array, Array)> {
        let top = self.spec.top as i32;
        // The last of a partition by value, as mlx-lm takes them.
        let highest = |scores: &Array| -> Result<Array> {
            let order = ops::argpartition_axis(scores, -top, -1)?;
            let from = self.spec.count as i32 - top;
            Ok(order.split_at_indices(&[from], -1)?.swap_remove(1))
        };
        let x = match &self.router_norm {
            Some(weight) => &fast::rms_norm(x, Some(weight), self.epsilon)?,
            None => x,
        };
        let scores = self.router.apply(x)?;
        let among = |scores: &Array, chosen: &Array| scores.take_along_axis(chosen, -1);
        let share = |weights: Array, more: f32| -> Result<Array> {
            let mut sum = weights.sum_axis(-1, true)?;
            if more > 0.0 {
                sum = ops::add(sum, Array::from_f32(more).as_dtype(weights.dtype())?)?;
            }
            ops::divide(weights, sum)
        };
        match self.spec.routing {
            Routing::SoftmaxFirst { renormalise } => {
                let scores = ops::softmax_axis(scores, -1, true)?;
                let chosen = highest(&scores)?;
                let weights = among(&scores, &chosen)?;
                Ok((chosen, if renormalise { share(weights, 0.0)? } else { weights }))
            }
            Routing::TopFirst => {
                let chosen = highest(&scores)?;
                let weights = ops::softmax_axis(among(&scores, &chosen)?, -1, true)?;
                Ok((chosen, weights))
            }
            Routing::Scaled => {
                let chosen = highest(&scores)?;
                let weights = ops::softmax_axis(among(&scores, &chosen)?, -1, false)?;
                let scales = self.expert_scale.as_ref().map(|scales| scales.take_axis(&chosen, 0)).transpose()?;
                Ok((
                    chosen,
                    match scales {
                        Some(scales) => ops::multiply(weights, scales)?,
                        None => weights,
                    },
                ))
            }
            Routing::Sigmoid { renormalise, scale, .. } => {
                let scores = ops::sigmoid(scores)?;
                let chosen = match &self.expert_bias {
                    Some(bias) => highest(&ops::add(&scores, bias)?)?,
                    None => highest(&scores)?,
                };
                let mut weights = among(&scores, &chosen)?;
                if renormalise {
                    weights = share(weights, 1e-6)?;
                }
                let weights = ops::multiply(&weights, Array::from_f32(scale).as_dtype(weights.dtype())?)?;
                Ok((chosen, weights))
            }
        }
    }

    /// What the chosen experts give: `[1, n, top, hidden]`.
    fn experts(&self, x: &Array, chosen: &Array) -> Result<Array> {
        let shape = chosen.shape().to_vec();
        let of = |x: &Array, chosen: &Array, sorted: bool| -> Result<Array> {
            let up = self.up.gather(x, chosen, sorted)?;
            let gate = self.gate.gather(x, chosen, sorted)?;
            self.down.gather(&activated(self.spec.activation, &gate, &up)?, chosen, sorted)
        };
        if chosen.size() < SORTED {
            return of(&x.expand_dims_axes(&[-2, -3])?, chosen, false)?.squeeze_axes(&[-2]);
        }
        // One row a position and expert, in the order of experts.
        let flat = chosen.flatten(None, None)?;
        let order = ops::argsort(&flat)?;
        let back = ops::argsort(&order)?;
        let top = Array::from_slice(&[self.spec.top as u32], &[1]);
        let rows = x.reshape(&[-1, 1, x.dim(2)])?.take_axis(ops::floor_divide(&order, &top)?, 0)?;
        let y = of(&rows, &flat.take_axis(&order, 0)?, true)?.take_axis(&back, 0)?;
        y.reshape(&[shape[0], shape[1], shape[2], -1])
    }

    fn arrays(&self) -> Vec<&Array> {
        let mut arrays: Vec<&Array> =
            [&self.router, &self.gate, &self.up, &self.down].into_iter().flat_map(Linear::arrays).collect();
        if let Some(shared) = &self.shared {
            arrays.extend(shared.dense.arrays());
            arrays.extend(shared.gate.arrays());
        }
        arrays.extend(self.router_norm.iter().chain(&self.expert_scale).chain(&self.expert_bias));
        arrays
    }
}

/// A dense feed and experts, each normed before and after, and their sum (Gemma 4).
#[derive(Debug)]
pub struct Beside {
    dense: Dense,
    experts: Experts,
    after_dense: Norm,
    before_experts: Norm,
    after_experts: Norm,
}

impl Beside {
    fn load(
        source: &mut Source<'_>,
        spec: &Spec,
        layer: usize,
        dense: &spec::Dense,
        experts: &spec::Experts,
    ) -> Loaded<Self> {
        let mut norm = |name: &str| Norm::load(source, spec.norm, &spec.in_layer(layer, name), spec.hidden);
        let (after_dense, before_experts, after_experts) = (
            norm("post_feedforward_layernorm_1")?,
            norm("pre_feedforward_layernorm_2")?,
            norm("post_feedforward_layernorm_2")?,
        );
        let dense = Dense::load(source, spec, &spec.in_layer(layer, dense.path), dense, false)?;
        let experts = Experts::load(source, spec, layer, experts)?;
        Ok(Beside { dense, experts, after_dense, before_experts, after_experts })
    }

    fn apply(&self, normed: &Array, raw: &Array) -> Result<Array> {
        let dense = self.after_dense.apply(&self.dense.apply(normed, None)?)?;
        let experts = self.experts.apply(&self.before_experts.apply(raw)?, raw)?;
        ops::add(dense, self.after_experts.apply(&experts)?)
    }

    fn arrays(&self) -> Vec<&Array> {
        let mut arrays = self.dense.arrays();
        arrays.extend(self.experts.arrays());
        arrays.extend([&self.after_dense, &self.before_experts, &self.after_experts].map(|norm| &norm.weight));
        arrays
    }
}
