#!/bin/sh
# Perl from perl-base.
perl -e 'use POSIX; use Socket; use IO::Select; use File::Temp;
socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die; 
my $pid = fork; if (!$pid) { close $a; syswrite $b, "child $_\n" for 1..3; POSIX::_exit(4) }
close $b; print while <$a>; waitpid $pid, 0; print $? >> 8, "\n";
$SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; select undef, undef, undef, 20 }; print $@;
my %h = map { $_ => $_ ** 2 } 1..5; print join(",", map { "$_=$h{$_}" } sort keys %h), "\n";
open my $p, "-|", "echo piped" or die; print <$p>; close $p;
my ($fh, $name) = File::Temp::tempfile(DIR => "."); print $fh "x" x 5000; close $fh; print -s $name, "\n";
print strftime("%F", gmtime(86400)), " ", (uname)[0], "\n"; printf "%s\n", join " ", map { sprintf "%.3f", $_ } sin 1, exp 1;'
