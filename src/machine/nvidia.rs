//! NVIDIA's driver by its own library, NVML: loaded when it is asked for, and once. Which of several GPUs is meant is found out, and not
//! guessed.

#[cfg(target_os = "linux")]
pub(super) use here::{device, driver};

/// Which of the boards, by index and UUID in the driver's order, do programs here compute on? The one that `CUDA_VISIBLE_DEVICES` names, or
/// the only one; never the first by habit.
///
/// # Errors
/// Why it cannot be told.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nothing is asked of NVIDIA's driver there"))]
fn chosen(uuids: &[String], visible: Option<&str>, order: Option<&str>) -> Result<usize, String> {
    let listed: Option<Vec<&str>> = visible.map(|list| list.split(',').map(str::trim).collect());
    match listed.as_deref() {
        Some([""]) => Err("CUDA_VISIBLE_DEVICES is empty: programs see no GPU".to_owned()),
        Some([one]) if one.starts_with("MIG-") => {
            Err("CUDA_VISIBLE_DEVICES names a part of a GPU (MIG), and the counter is the whole board's".to_owned())
        }
        Some([one]) if one.starts_with("GPU-") => {
            let mut fitting = (0..uuids.len()).filter(|place| uuids[*place].starts_with(one));
            match (fitting.next(), fitting.next()) {
                (Some(place), None) => Ok(place),
                _ => Err(format!("CUDA_VISIBLE_DEVICES names {one}, and the driver lists {}", uuids.join(", "))),
            }
        }
        Some([one]) => match one.parse::<usize>() {
            _ if uuids.len() == 1 => Ok(0),
            // CUDA's own order is by speed, the driver's by bus.
            Ok(place) if order == Some("PCI_BUS_ID") && place < uuids.len() => Ok(place),
            _ => Err(format!(
                "{} GPUs, and CUDA_VISIBLE_DEVICES={one} counts them in an order of CUDA's own",
                uuids.len()
            )),
        },
        Some(several) => Err(format!("CUDA_VISIBLE_DEVICES names {} GPUs", several.len())),
        None if uuids.len() == 1 => Ok(0),
        None => Err(format!("{} GPUs, and nothing says which of them programs compute on", uuids.len())),
    }
}

#[cfg(target_os = "linux")]
mod here {
    use std::sync::OnceLock;

    use nvml_wrapper::{Device, Nvml, enum_wrappers::device::TemperatureSensor, error::NvmlError};

    use super::chosen;

    /// The driver's library takes a moment to start.
    fn library() -> &'static Result<Nvml, String> {
        static LIBRARY: OnceLock<Result<Nvml, String>> = OnceLock::new();
        LIBRARY.get_or_init(|| {
            // Containers have the library under its versioned name only.
            let tried = Nvml::builder().lib_path("libnvidia-ml.so.1".as_ref()).init();
            tried.map_err(|error| match error {
                NvmlError::LibloadingError(_) => "the driver's library libnvidia-ml.so.1 is not here".to_owned(),
                other => other.to_string(),
            })
        })
    }

    /// The GPU that programs compute on; else why it cannot be told, and what to do.
    pub(in crate::machine) fn device() -> Result<Device<'static>, (String, &'static str)> {
        let nvml = library().as_ref().map_err(|why| {
            (
                why.clone(),
                "install NVIDIA's driver, or give the container access to it (nvidia-container-toolkit, `--gpus all`)",
            )
        })?;
        let told = |error: NvmlError| (format!("the driver does not list its GPUs: {error}"), "nvidia-smi may say why");
        let count = nvml.device_count().map_err(told)?;
        if count == 0 {
            return Err(("the driver lists no GPU".to_owned(), "give the container a GPU (`--gpus all`)"));
        }
        let all = (0..count).map(|index| nvml.device_by_index(index)).collect::<Result<Vec<_>, _>>().map_err(told)?;
        let uuids = all.iter().map(Device::uuid).collect::<Result<Vec<_>, _>>().map_err(told)?;
        let variable = |name: &str| std::env::var(name).ok();
        let (visible, order) = (variable("CUDA_VISIBLE_DEVICES"), variable("CUDA_DEVICE_ORDER"));
        let hint = "name the one that computes: CUDA_VISIBLE_DEVICES=GPU-… (nvidia-smi -L lists them)";
        let place = chosen(&uuids, visible.as_deref(), order.as_deref()).map_err(|why| (why, hint))?;
        nvml.device_by_uuid(uuids[place].as_str()).map_err(told)
    }

    pub(in crate::machine) fn driver() -> Option<String> {
        library().as_ref().ok()?.sys_driver_version().ok()
    }

    pub(super) fn celsius() -> Option<f64> {
        static DEVICE: OnceLock<Option<Device<'static>>> = OnceLock::new();
        let device = DEVICE.get_or_init(|| device().ok()).as_ref()?;
        device.temperature(TemperatureSensor::Gpu).ok().map(f64::from)
    }
}

/// The temperature of the GPU that programs compute on; `None` where there is none or it does not say.
pub(super) fn celsius() -> Option<f64> {
    #[cfg(target_os = "linux")]
    return here::celsius();
    #[cfg(not(target_os = "linux"))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_board_is_the_one_that_computes() {
        let two = ["GPU-aa11".to_owned(), "GPU-ab22".to_owned()];
        let one = &two[..1];
        assert_eq!(chosen(one, None, None), Ok(0));
        assert_eq!(chosen(one, Some("0"), None), Ok(0));
        assert_eq!(chosen(&two, Some("GPU-ab22"), None), Ok(1));
        assert_eq!(chosen(&two, Some("GPU-ab"), None), Ok(1));
        assert_eq!(chosen(&two, Some("1"), Some("PCI_BUS_ID")), Ok(1));
        for (visible, order, why) in [
            (None, None, "nothing says which"),
            (Some("1"), None, "an order of CUDA's own"),
            (Some("7"), Some("PCI_BUS_ID"), "an order of CUDA's own"),
            (Some("GPU-a"), None, "the driver lists GPU-aa11, GPU-ab22"),
            (Some("GPU-ff"), None, "names GPU-ff"),
            (Some("0,1"), None, "names 2 GPUs"),
            (Some("MIG-3"), None, "the whole board's"),
            (Some(""), None, "see no GPU"),
        ] {
            let found = chosen(&two, visible, order).unwrap_err();
            assert!(found.contains(why), "{visible:?}: {found}");
        }
    }
}
