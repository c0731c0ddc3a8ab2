//! Whether a VM size can have its OS disk on the host (R7.7, R7.8).

use crate::facts::VmSize;

/// OS disk size from which a managed one has the IOPS and bandwidth that AKS recommends (R7.6).
pub(crate) const GIB_OF_A_GOOD_OS_DISK: u32 = 512;

/// The largest ephemeral OS disk that a size can have, in GiB; 0 when it can have none. `None` when Azure does not say.
pub(crate) fn ephemeral_gib(size: &VmSize) -> Option<u32> {
    if !size.ephemeral_os_disk? {
        return Some(0);
    }
    let allowed = |placement: &str| {
        size.placements.is_empty()
            || size
                .placements
                .iter()
                .any(|known| known.eq_ignore_ascii_case(placement))
    };
    let places = [
        ("CacheDisk", size.cache_bytes.map(|bytes| bytes >> 30)),
        ("ResourceDisk", size.temporary_disk_mb.map(|mb| mb >> 10)),
        ("NvmeDisk", size.nvme_disk_mib.map(|mib| mib >> 10)),
    ];
    let largest = places
        .into_iter()
        .filter(|(placement, _)| allowed(placement))
        .filter_map(|(_, gib)| gib)
        .max()?;
    u32::try_from(largest).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(cache_gib: u64, temporary_gib: u64, placements: &[&str]) -> VmSize {
        VmSize {
            ephemeral_os_disk: Some(true),
            placements: placements.iter().map(|p| (*p).to_owned()).collect(),
            cache_bytes: Some(cache_gib << 30),
            temporary_disk_mb: Some(temporary_gib << 10),
            nvme_disk_mib: None,
        }
    }

    #[test]
    fn r7_7_a_size_fits_what_its_cache_or_temporary_disk_holds() {
        // E2bds_v5 has 75 GiB: 60 fit, 100 do not. E4bds_v5 has 150.
        assert_eq!(ephemeral_gib(&size(0, 75, &[])), Some(75));
        assert_eq!(ephemeral_gib(&size(0, 150, &["ResourceDisk"])), Some(150));
        // Older generations are judged on their cache.
        assert_eq!(ephemeral_gib(&size(100, 150, &["CacheDisk"])), Some(100));
    }

    #[test]
    fn r7_8_a_size_without_support_has_none() {
        let mut none = size(100, 150, &[]);
        none.ephemeral_os_disk = Some(false);
        assert_eq!(ephemeral_gib(&none), Some(0));
        none.ephemeral_os_disk = None;
        assert_eq!(ephemeral_gib(&none), None);
        assert_eq!(ephemeral_gib(&size(100, 150, &["FutureDisk"])), None);
        let nvme = VmSize {
            ephemeral_os_disk: Some(true),
            nvme_disk_mib: Some(440 << 10),
            ..VmSize::default()
        };
        assert_eq!(ephemeral_gib(&nvme), Some(440));
    }
}
