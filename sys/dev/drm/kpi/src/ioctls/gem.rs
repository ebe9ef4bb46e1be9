// SPDX-License-Identifier: BSD-2-Clause
//! GEM handles and names.

use crate::drm::driver::{Call, Driver};
use crate::util::errno::Result;
use crate::util::uapi::{GemClose, GemFlink, GemOpen};

pub(super) fn close<D: Driver>(call: &Call<'_, D>, arg: &mut GemClose) -> Result<()> {
    call.file.close_handle(arg.handle)
}

pub(super) fn flink<D: Driver>(call: &Call<'_, D>, arg: &mut GemFlink) -> Result<()> {
    arg.name = call.file.flink(arg.handle)?;
    Ok(())
}

pub(super) fn open<D: Driver>(call: &Call<'_, D>, arg: &mut GemOpen) -> Result<()> {
    (arg.handle, arg.size) = call.file.open_name(arg.name)?;
    Ok(())
}
