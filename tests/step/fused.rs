//! A model of `description.rs` behind the C interface of `native/offprint-kernels`: ids in, logits out.

use std::{ffi::CString, ptr};

use mlx_rs::{Array, Dtype, Stream, transforms::eval};
use offprint_kernels::{
    ExpertsHandle, LayerHandle, MatrixHandle, PartHandle, RopeHandle, Shape, format, offprint_model,
    offprint_model_free, offprint_past, offprint_past_free, offprint_step,
};

use crate::description::{HIDDEN, Matrix, Model, Storage, VOCABULARY};

impl Matrix {
    fn handle(&self, keep: &mut Vec<Array>) -> MatrixHandle {
        let (bits, group, format) = match self.storage {
            Storage::Float32 => (32, 0, format::FLOAT32),
            Storage::Float16 => (16, 0, format::FLOAT16),
            Storage::Bfloat16 => (16, 0, format::BFLOAT16),
            Storage::Affine8 => (8, 32, format::AFFINE),
            Storage::Mxfp4 => (4, 32, format::MXFP4),
        };
        let shape = [self.rows as i32, self.columns as i32];
        let mut arrays = self.arrays.clone();
        if arrays.is_empty() {
            let dtype = match self.storage {
                Storage::Float16 => Dtype::Float16,
                Storage::Bfloat16 => Dtype::Bfloat16,
                _ => Dtype::Float32,
            };
            arrays.push(Array::from_slice(&self.values[..self.rows * self.columns], &shape).as_dtype(dtype).unwrap());
        }
        let mut of = |array: Option<Array>| array.map_or(ptr::null_mut(), |array| kept(array, keep));
        let mut arrays = arrays.into_iter();
        MatrixHandle {
            weight: of(arrays.next()),
            scales: of(arrays.next()),
            biases: of(arrays.next()),
            offset: of(self.bias.as_ref().map(|bias| Array::from_slice(bias, &[bias.len() as i32]))),
            rows: shape[0],
            columns: shape[1],
            bits,
            group,
            format,
        }
    }
}

fn kept(array: Array, keep: &mut Vec<Array>) -> *mut std::ffi::c_void {
    eval([&array]).unwrap();
    keep.push(array);
    keep.last().unwrap().as_ptr().ctx
}

/// The model behind the C interface.
pub struct Fused(*mut std::ffi::c_void);

fn told<T>(call: impl FnOnce(*mut std::ffi::c_char, usize) -> T) -> (T, String) {
    let mut reason = [0u8; 256];
    let made = call(reason.as_mut_ptr().cast(), reason.len());
    let reason: Vec<u8> = reason.into_iter().take_while(|byte| *byte != 0).collect();
    (made, String::from_utf8(reason).unwrap())
}

impl Fused {
    pub fn new(m: &Model, level: &str, threads: i32) -> Result<Self, String> {
        let keep = &mut Vec::new();
        fn vector(numbers: Option<&Vec<f32>>, keep: &mut Vec<Array>) -> *mut std::ffi::c_void {
            numbers.map_or(ptr::null_mut(), |numbers| kept(Array::from_slice(numbers, &[numbers.len() as i32]), keep))
        }
        let ropes: Vec<RopeHandle> = (m.ropes.iter())
            .map(|r| RopeHandle {
                dims: r.dims as i32,
                interleaved: r.interleaved,
                scale: r.scale,
                gain: r.gain,
                frequencies: r.frequencies.as_ptr(),
            })
            .collect();
        let experts: Vec<Option<ExpertsHandle>> = (m.layers.iter())
            .map(|layer| {
                layer.experts.as_ref().map(|e| ExpertsHandle {
                    router: e.router.handle(keep),
                    count: e.count as i32,
                    top: e.top as i32,
                    softmax_first: e.softmax_first,
                    renormalise: e.renormalise,
                    sigmoid: false,
                    scale: 1.0,
                    bias: ptr::null_mut(),
                    gate: e.gate.handle(keep),
                    up: e.up.handle(keep),
                    down: e.down.handle(keep),
                    shared_gate: e.shared.as_ref().map_or(MatrixHandle::NONE, |(parts, _)| parts[0].handle(keep)),
                    shared_up: e.shared.as_ref().map_or(MatrixHandle::NONE, |(parts, _)| parts[1].handle(keep)),
                    shared_down: e.shared.as_ref().map_or(MatrixHandle::NONE, |(parts, _)| parts[2].handle(keep)),
                    shared_weight: (e.shared.as_ref())
                        .and_then(|(_, weight)| weight.as_ref())
                        .map_or(MatrixHandle::NONE, |weight| weight.handle(keep)),
                })
            })
            .collect();
        let layers: Vec<LayerHandle> = (m.layers.iter().zip(&experts))
            .map(|(l, experts)| LayerHandle {
                q: l.q.handle(keep),
                k: l.k.handle(keep),
                v: l.v.handle(keep),
                o: l.o.handle(keep),
                heads: l.heads as i32,
                kv_heads: l.kv_heads as i32,
                head_dim: l.head_dim as i32,
                score_scale: l.score_scale,
                score_cap: l.score_cap,
                window: l.window as i32,
                rope: l.rope,
                query_gain_beta: l.query_gain.0,
                query_gain_positions: l.query_gain.1,
                sinks: vector(l.sinks.as_ref(), keep),
                q_norm: vector(l.q_norm.as_ref(), keep),
                k_norm: vector(l.k_norm.as_ref(), keep),
                norm_span: l.q_norm.as_ref().map_or(l.head_dim, Vec::len) as i32,
                input_norm: vector(l.input_norm.as_ref(), keep),
                attention_out_norm: vector(l.attention_out_norm.as_ref(), keep),
                feed_norm: vector(l.feed_norm.as_ref(), keep),
                feed_out_norm: vector(l.feed_out_norm.as_ref(), keep),
                parallel: l.parallel,
                activation: l.activation,
                gate: l.gate.handle(keep),
                up: l.up.handle(keep),
                down: l.down.handle(keep),
                experts: experts.as_ref().map_or(ptr::null(), ptr::from_ref),
                ..LayerHandle::NONE
            })
            .collect();
        let shape = Shape {
            hidden: HIDDEN as i32,
            heads: 0,
            vocabulary: VOCABULARY as i32,
            layers: layers.len() as i32,
            epsilon: m.epsilon,
            embedding_scale: m.embedding_scale,
            residual_scale: m.residual_scale,
            logit_scale: m.logit_scale,
            logit_cap: m.logit_cap,
            layer_norm: m.layer_norm,
            ropes: ropes.as_ptr(),
            rope_count: ropes.len() as i32,
        };
        let (embedding, head) = (m.embedding.handle(keep), m.head.handle(keep));
        let (level, norm) = (CString::new(level).unwrap(), vector(Some(&m.norm), keep));
        // SAFETY: there are as many layers and ropes as the shape says, and all lives through the call.
        let (made, reason) = told(|error, room| unsafe {
            offprint_model(level.as_ptr(), threads, &shape, &embedding, &head, layers.as_ptr(), norm, error, room)
        });
        if made.is_null() { Err(reason) } else { Ok(Fused(made)) }
    }

    /// Logits of all positions, in steps of these lengths and then one by one.
    pub fn logits(&self, ids: &[u32], steps: &[usize]) -> Vec<f32> {
        let (mut past, mut found, mut at) = (self.past(ids.len()), Vec::new(), 0);
        for n in steps.iter().copied().chain(std::iter::repeat(1)) {
            if at == ids.len() {
                return found;
            }
            found.extend(self.step(&mut [(&mut past, &ids[at..at + n])]).unwrap());
            at += n;
        }
        unreachable!()
    }

    pub fn past(&self, capacity: usize) -> Past {
        // SAFETY: a live model, in which the past takes a share.
        let (handle, reason) = told(|error, room| unsafe { offprint_past(self.0, capacity as i32, error, room) });
        assert!(!handle.is_null(), "{reason}");
        Past { handle, ticket: None, offset: 0 }
    }

    /// The logits of these ids behind these pasts, in one step.
    pub fn step(&self, pasts: &mut [(&mut Past, &[u32])]) -> Result<Vec<f32>, String> {
        let stream = Stream::thread_local_or_default();
        let all: Vec<u32> = pasts.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
        let all = Array::from_slice(&all, &[all.len() as i32]);
        let part = |(past, ids): &(&mut Past, &[u32])| PartHandle {
            past: past.handle,
            ticket: past.ticket.as_ref().map_or(ptr::null_mut(), |ticket: &Array| ticket.as_ptr().ctx),
            offset: past.offset as i32,
            count: ids.len() as i32,
        };
        let parts: Vec<PartHandle> = pasts.iter().map(part).collect();
        let mut out = [ptr::null_mut(); 2];
        // SAFETY: handles live through the calls; new ones belong to nobody else.
        let [ticket, logits] = unsafe {
            let (made, reason) = told(|error, room| {
                let (ids, stream, count) = (all.as_ptr().ctx, stream.as_ptr().ctx, parts.len() as i32);
                offprint_step(parts.as_ptr(), count, ids, stream, true, out.as_mut_ptr(), error, room)
            });
            if !made {
                return Err(reason);
            }
            out.map(|ctx| Array::from_ptr(mlx_sys::mlx_array { ctx }))
        };
        for (past, ids) in pasts {
            past.offset += ids.len();
            past.ticket = Some(ticket.clone());
        }
        Ok(logits.as_slice::<f32>().to_vec())
    }
}

/// Keys and values of one sequence.
pub struct Past {
    handle: *mut std::ffi::c_void,
    ticket: Option<Array>,
    /// Where the next position goes; what is behind is forgotten.
    pub offset: usize,
}

impl Past {
    /// The same once more, which must not be dropped.
    pub fn again(other: &Past) -> Past {
        Past { handle: other.handle, ticket: None, offset: other.offset }
    }
}

impl Drop for Past {
    fn drop(&mut self) {
        // SAFETY: made by `offprint_past`, freed once; steps in flight have a share.
        unsafe { offprint_past_free(self.handle) }
    }
}

impl Drop for Fused {
    fn drop(&mut self) {
        // SAFETY: made by `offprint_model`, freed once.
        unsafe { offprint_model_free(self.0) }
    }
}
