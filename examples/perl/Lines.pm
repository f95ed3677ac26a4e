# The lines of the protocol over standard streams (docs/test/stdio-protocol.md): what the device and the
# driver have in common. Needs nothing beyond perl itself.
package Lines;

use v5.32;
use warnings;
use Exporter 'import';
use JSON::PP ();

our @EXPORT_OK = qw(serve refuse number bits bytes pages text hex_bits run_list);

no warnings 'portable';    # numbers of 64 bits are what this is about

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# Give up the command that is being carried out, with one of the protocol's words.
sub refuse {
    my ($kind, $words) = @_;
    die { error => $kind, text => $words };
}

# Each of these reads one field of a command, or refuses.
sub number {
    my ($command, $name, $most) = @_;
    my $value = $command->{$name} // '';
    refuse('refused', "$name: expected a number from 0 to $most")
        if ref $value || $value !~ /\A[0-9]{1,16}\z/ || $value > $most;
    return $value + 0;
}

sub text {
    my ($command, $name) = @_;
    my $value = $command->{$name};
    refuse('refused', "$name: expected a string") if !defined $value || ref $value;
    return "$value";
}

sub bits {
    my ($command, $name) = @_;
    my $value = $command->{$name} // '';
    refuse('refused', "$name: expected 0x and 1 to 16 hex digits") if $value !~ /\A0x[0-9a-f]{1,16}\z/;
    return hex $value;
}

sub bytes {
    my ($command, $name) = @_;
    my $value = $command->{$name};
    refuse('refused', "$name: expected pairs of hex digits")
        if !defined $value || ref $value || $value !~ /\A(?:[0-9a-fA-F]{2})*\z/;
    return pack 'H*', $value;
}

sub pages {
    my ($command, $name) = @_;
    my $runs = $command->{$name};
    refuse('refused', "$name: expected a list of runs") if ref $runs ne 'ARRAY';
    for my $run (@$runs) {
        refuse('refused', "$name: expected runs [first, count]")
            if ref $run ne 'ARRAY' || @$run != 2 || grep { ref || !/\A[0-9]{1,16}\z/ } @$run;
    }
    return @$runs;
}

sub hex_bits { return sprintf '0x%x', $_[0] }

# Page frame numbers in ascending order, as runs [first, count].
sub run_list {
    my @runs;
    for my $pfn (@_) {
        if (@runs && $runs[-1][0] + $runs[-1][1] == $pfn) { $runs[-1][1]++ }
        else                                              { push @runs, [$pfn + 0, 1] }
    }
    return @runs;
}

# Answer commands until stop, or until there are no more. Each verb is given the command and returns the
# fields of the answer; it pushes events to the list that is given too.
sub serve {
    my ($role, %verbs) = @_;
    my ($sequence, $started) = (0, 0);
    $| = 1;
    binmode $_ for *STDIN, *STDOUT;
    while (my $line = <STDIN>) {
        my $command = eval { $json->decode($line) };
        my ($name, @events) = ('');
        my $fields = eval {
            refuse('refused', 'this is not a JSON object') if ref $command ne 'HASH';
            $name = text($command, 'command');
            my $verb = $verbs{$name} // refuse('unknown-command', "a $role has no command $name");
            refuse('refused', 'start comes first') if !$started && $name !~ /\A(?:start|stop)\z/;
            $verb->($command, \@events);
        };
        $fields = ref $@ ? $@ : { error => 'refused', text => $@ =~ s/\s+/ /gr } if !$fields;
        $sequence++;
        $sequence = $command->{seq} if ref $command eq 'HASH' && ($command->{seq} // '') =~ /\A[1-9][0-9]{0,14}\z/;
        $started ||= $name eq 'start' && !$fields->{error};
        my %answer = (%$fields, seq => $sequence + 0);
        $answer{events} = \@events if @events;
        print $json->encode(\%answer), "\n";
        last if $name eq 'stop';
    }
    return;
}

1;
