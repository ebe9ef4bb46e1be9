// SPDX-License-Identifier: BSD-2-Clause
//! Masters, magics and authentication.

use crate::drm::driver::{Call, Driver};
use crate::util::errno::{Result, EACCES};
use crate::util::uapi::Auth;

/// GET_MAGIC.
pub(super) fn get_magic<D: Driver>(call: &Call<'_, D>, arg: &mut Auth) -> Result<()> {
    arg.magic = call.device().masters().lock().magic(call.file.auth())?;
    Ok(())
}

/// AUTH_MAGIC, by the master: EINVAL if the magic is unknown or used.
pub(super) fn auth_magic<D: Driver>(call: &Call<'_, D>, arg: &mut Auth) -> Result<()> {
    let mut masters = call.device().masters().lock();
    masters.authenticate(call.file.auth(), arg.magic)
}

/// The master may be changed by privileged callers, and by the process that opened the file if the
/// file was master before.
fn check<D: Driver>(call: &Call<'_, D>) -> Result<()> {
    let own = call.caller.pid() == call.file.pid() && call.file.auth().was_master();
    if own || call.caller.privileged() {
        Ok(())
    } else {
        Err(EACCES)
    }
}

/// SET_MASTER: EBUSY while another file is master.
pub(super) fn set_master<D: Driver>(call: &Call<'_, D>) -> Result<()> {
    let mut masters = call.device().masters().lock();
    check(call)?;
    masters.set(call.file.id(), call.file.auth())
}

/// DROP_MASTER: EINVAL from a file that is not master.
pub(super) fn drop_master<D: Driver>(call: &Call<'_, D>) -> Result<()> {
    let mut masters = call.device().masters().lock();
    check(call)?;
    masters.drop_master(call.file.id())
}
