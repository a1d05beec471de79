//! libtorch is linked: the process would not have started without it.

use crate::Error;

/// Does nothing: libtorch is in the process already.
///
/// # Errors
/// None here.
pub fn load() -> Result<(), Error> {
    Ok(())
}
