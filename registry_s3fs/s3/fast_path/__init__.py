"""Small and ranged requests without boto3's machinery: only the plain answer is taken, all else is left to boto3."""
