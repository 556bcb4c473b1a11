//! `man`: the manual page of the tool, made from the tables of verbs and options.

use std::ffi::CStr;
use std::fmt::Write;

use super::document::Roff;
use crate::tool::{Failure, Tool, options};

/// The parts of the page that come from no table.
const HEAD: &str = "\
.SH NAME
nullctl \\- call and examine Varlink services
.SH SYNOPSIS
.B nullctl
[\\fIOPTION\\fR...] \\fIVERB\\fR [\\fIARGUMENT\\fR...]
.SH DESCRIPTION
nullctl calls Varlink services, shows their interfaces, and helps with definitions of interfaces.
It has the verbs and options of varlinkctl(1). It is one file, which needs no library and no
service manager, so it also runs in an initramfs, in a rescue image or in a container.
.PP
There are two forms of it. The static form has no verbs for a workstation: those from
.B diff
on.
";

const TAIL: &str = "\
.SH ADDRESSES
.TP
\\fB/run/org.example.ftl\\fR, \\fBunix:/run/org.example.ftl\\fR
The path of a Unix socket.
.TP
\\fBunix:@org.example.ftl\\fR
A Unix socket in the abstract namespace.
.TP
\\fBtcp:127.0.0.1:12345\\fR
A TCP port.
.TP
\\fBdevice:/dev/ttyS1\\fR
A character device, such as a serial line.
.TP
\\fB/usr/lib/ftl\\fR, \\fBexec:/usr/lib/ftl\\fR
A program, which is started with the connection as by socket activation.
.TP
\\fBssh\\-unix:HOST:/run/org.example.ftl\\fR, \\fBssh\\-exec:HOST:PROGRAM\\fR
A socket or a program of another machine, by ssh(1).
.TP
\\fBorg.example.ftl\\fR
The name of an interface, which is looked up in the registry, /run/varlink/registry.
.SH DIFFERENCES FROM VARLINKCTL
.TP
Numbers
Numbers of a reply are printed as the service wrote them. varlinkctl writes 0.1 as
1.000000000000000055511e\\-01, which is not what was sent.
.TP
Definitions
introspect and validate\\-idl print the text as it is. varlinkctl reorders the members
and drops some comments, which are for people too. The verb format changes the layout.
.TP
Messages
A message begins with the name of the tool, and shows the error of the service and its parameters.
varlinkctl translates some errors to errno(3), so that their names are lost. nullctl also says
which method is meant, or which option is missing.
.TP
Control characters
In texts of a service they are replaced on a terminal, because a terminal would obey them.
.TP
Addresses
The name of an interface, tcp: and device: are addresses, too.
.TP
Pager
No pager is started: an image may have none.
.TP
serve
It can listen at a path, for systems without socket activation.
.SH EXIT STATUS
0 for success, and 1 for a failure, which a message on standard error describes. A reader of the
output that goes away, as in \\fBnullctl ... | head\\fR, is not a failure.
.SH ENVIRONMENT
.TP
.B NO_COLOR
If it is set and not empty, output has no colors.
.TP
.B TERM
If it is not set, empty or \\(dqdumb\\(dq, output has no colors.
.SH SEE ALSO
.BR varlinkctl (1)
";

pub fn manual(tool: &mut Tool<'_>, _words: &[&'static CStr]) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let mut page = format!(".TH NULLCTL 1 \"\" \"nullctl {version}\" \"User commands\"\n{HEAD}");
    page.push_str(".SH VERBS\n");
    for verb in tool.verbs.iter().flat_map(|table| table.iter()) {
        // Writing to a string does not fail.
        let _ = writeln!(
            page,
            ".TP\n\\fB{}\\fR {}\n{}.",
            Roff(verb.name),
            Roff(verb.arguments),
            Roff(verb.summary)
        );
        for paragraph in verb
            .details
            .split("\n\n")
            .filter(|text| !text.trim().is_empty())
        {
            page.push_str(".IP\n");
            for line in paragraph.trim().lines() {
                let _ = writeln!(page, "{}", Roff(line));
            }
        }
    }
    page.push_str(".SH OPTIONS\n");
    for flag in options::all() {
        let mut names = Vec::new();
        names.extend(flag.short.map(|short| format!("\\fB\\-{short}\\fR")));
        if !flag.long.is_empty() {
            names.push(format!("\\fB\\-\\-{}\\fR", Roff(flag.long)));
        }
        let value = flag.value.map(|value| format!("={}", Roff(value)));
        let value = value.unwrap_or_default();
        let _ = writeln!(
            page,
            ".TP\n{}{value}\n{}.",
            names.join(", "),
            Roff(flag.help)
        );
    }
    page.push_str(TAIL);
    tool.out.text(&page);
    Ok(())
}
