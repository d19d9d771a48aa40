//! What an operator sees a node by: checked.

use std::net::SocketAddr;

use super::Refused;
use super::args::ServeArgs;

/// A port of its own: also where one of the two is every address.
pub(super) fn admin(args: &ServeArgs) -> Result<Option<SocketAddr>, Refused> {
    let Some(admin) = args.admin_listen else { return Ok(None) };
    let (ours, theirs) = (admin.ip(), args.listen.ip());
    let meet = ours == theirs || ours.is_unspecified() || theirs.is_unspecified();
    if admin.port() != 0 && admin.port() == args.listen.port() && meet {
        let why = "is the address of --listen; operators need one of their own";
        return Err(Refused::new("--admin-listen", "ADDA_ADMIN_LISTEN", why));
    }
    Ok(Some(admin))
}
