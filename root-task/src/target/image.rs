//! Program images.

use persona_plan::archive::{Image, Segment};
use persona_plan::{Domain, PAGE};
use sel4::cap::{Granule, VSpace};
use sel4::{ObjectBlueprint, VmAttributes};

use super::build::{copy_cap, Made};
use super::failure::Failure;

impl Made<'_> {
    /// Maps a program: what is only read where it lies in the archive, what is written in frames of the domain's own.
    pub(super) fn load(
        &mut self,
        group: usize,
        domain: &Domain,
        archive: &[u8],
        image: &Image,
    ) -> Result<(), Failure> {
        let vspace = VSpace::from_bits(self.slot(domain.vspace)?);
        for segment in &image.segments {
            self.segment(group, vspace, archive, segment).map_err(|e| {
                let text = format_args!("its program at {:#x}: {e}", segment.vaddr);
                Failure::at(self.plan, domain.origin, &domain.name, text)
            })?;
        }
        Ok(())
    }

    fn segment(
        &mut self,
        group: usize,
        vspace: VSpace,
        archive: &[u8],
        segment: &Segment,
    ) -> Result<(), Failure> {
        let attributes = if segment.executable {
            VmAttributes::CACHED
        } else {
            VmAttributes::CACHED | VmAttributes::EXECUTE_NEVER
        };
        let in_place = if segment.writable {
            0
        } else {
            segment.file_pages
        };
        let copies = self.memory.slots(in_place.into())?;
        for page in 0..in_place {
            let contents = contents(archive, segment, page)?;
            let frame = self
                .boot
                .image_frame(contents.as_ptr() as usize)
                .ok_or_else(|| Failure::new(format_args!("the archive lies outside the image")))?;
            if segment.executable {
                frame
                    .unify_instruction(0, PAGE)
                    .map_err(|e| Failure::new(format_args!("instruction cache: {e}")))?;
            }
            let copy = copies + u64::from(page);
            copy_cap(frame.bits(), copy)?;
            let copy = Granule::from_bits(copy);
            let vaddr = segment.vaddr + u64::from(page) * PAGE;
            self.map(group, vspace, copy, vaddr, false, attributes)?;
        }
        let own = segment.pages.saturating_sub(in_place);
        if own == 0 {
            return Ok(());
        }
        let frames = self
            .memory
            .make(group, ObjectBlueprint::Granule, own.into())?;
        for page in in_place..segment.pages {
            let frame = Granule::from_bits(frames + u64::from(page - in_place));
            if page < segment.file_pages {
                let contents = contents(archive, segment, page)?;
                self.scratch.write(frame, contents)?;
            }
            let vaddr = segment.vaddr + u64::from(page) * PAGE;
            self.map(group, vspace, frame, vaddr, segment.writable, attributes)?;
        }
        Ok(())
    }
}

/// A page of a segment in the archive.
fn contents<'a>(archive: &'a [u8], segment: &Segment, page: u32) -> Result<&'a [u8], Failure> {
    let at = segment.offset + u64::from(page) * PAGE;
    usize::try_from(at)
        .ok()
        .and_then(|at| archive.get(at..at.checked_add(PAGE as usize)?))
        .ok_or_else(|| Failure::new(format_args!("the archive is too short")))
}
